package main

// What Ollama makes of answers and of histories, by its own code: jobs as a JSON array on stdin, results on stdout.

import (
	"encoding/json"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/ollama/ollama/api"
	"github.com/ollama/ollama/template"
	"github.com/ollama/ollama/thinking"
	"github.com/ollama/ollama/tools"
)

type Job struct {
	Template string          `json:"template"`
	Messages json.RawMessage `json:"messages"`
	Tools    json.RawMessage `json:"tools"`
	Think    *bool           `json:"think"` // null: as the server decides
	Answer   *string         `json:"answer"`
	Step     int             `json:"step"` // characters at a time
}

type Result struct {
	Prompt   string       `json:"prompt"`
	Tag      string       `json:"tag"`
	Thinks   []string     `json:"thinks"`
	Message  *api.Message `json:"message,omitempty"`
	Error    string       `json:"error,omitempty"`
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func run(job Job) (r Result) {
	t, err := template.Parse(job.Template)
	if err != nil {
		return Result{Error: err.Error()}
	}
	var messages []api.Message
	var offered []api.Tool
	must(json.Unmarshal(job.Messages, &messages))
	if len(job.Tools) > 0 {
		must(json.Unmarshal(job.Tools, &offered))
	}
	// server/routes.go, ChatHandler
	opening, closing := thinking.InferTags(t.Template)
	think := job.Think
	if think == nil && opening != "" && closing != "" {
		yes := true
		think = &yes
	}
	values := template.Values{Messages: messages, Tools: offered, IsThinkSet: think != nil}
	if think != nil {
		values.Think = *think
	}
	var b strings.Builder
	if err := t.Execute(&b, values); err != nil {
		return Result{Error: err.Error()}
	}
	r.Prompt = b.String()
	r.Thinks = []string{opening, closing}
	r.Tag = tools.NewParser(t.Template, offered).Tag()
	if job.Answer == nil {
		return r
	}
	var state *thinking.Parser
	if think != nil && *think && opening != "" && closing != "" {
		state = &thinking.Parser{OpeningTag: opening, ClosingTag: closing}
		if strings.HasSuffix(strings.TrimSpace(r.Prompt), opening) {
			state.AddContent(opening)
		}
	}
	var parser *tools.Parser
	if len(offered) > 0 {
		parser = tools.NewParser(t.Template, offered)
	}
	said := api.Message{Role: "assistant"}
	pieces := cut(*job.Answer, job.Step)
	for i, piece := range pieces {
		done := i == len(pieces)-1
		content, thought := piece, ""
		if state != nil {
			thought, content = state.AddContent(piece)
			if thought == "" && content == "" && !done {
				continue
			}
		}
		said.Thinking += thought
		if parser != nil {
			calls, words := parser.Add(content)
			if len(words) > 0 {
				content = words
			} else if len(calls) > 0 {
				said.ToolCalls = append(said.ToolCalls, calls...)
				content = ""
			} else if thought != "" {
			} else {
				if done {
					said.Content += parser.Content()
				}
				continue
			}
		}
		said.Content += content
	}
	r.Message = &said
	return r
}

// An empty piece at the end is the one that says `done`.
func cut(text string, step int) (pieces []string) {
	for len(text) > 0 {
		n := min(step, len(text))
		for n < len(text) && !utf8.RuneStart(text[n]) {
			n++
		}
		pieces, text = append(pieces, text[:n]), text[n:]
	}
	return append(pieces, "")
}

func main() {
	var jobs []Job
	must(json.NewDecoder(os.Stdin).Decode(&jobs))
	results := []Result{}
	for _, job := range jobs {
		results = append(results, run(job))
	}
	e := json.NewEncoder(os.Stdout)
	e.SetEscapeHTML(false)
	must(e.Encode(results))
}
