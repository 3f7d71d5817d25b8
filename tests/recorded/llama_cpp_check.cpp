// What llama.cpp's server makes of answers and of histories: jobs as a JSON array on stdin, results on stdout.
// A job: {template, messages, tools, thinking: true, false or null for the server's own choice, answer, steps}.
// Calls the chat part of llama.cpp as tools/server/server-common.cpp and server-task.cpp do.
#include "chat.h"
#include "json.h"

#include <iostream>
#include <iterator>

using json = common_json;

// The answer in pieces of `step` bytes: what the differences that are sent add up to.
static json streamed(const std::string & answer, size_t step, const common_chat_parser_params & params) {
    common_chat_msg before, sum;
    sum.role = "assistant";
    for (size_t end = step;; end += step) {
        bool last = end >= answer.size();
        size_t cut = last ? answer.size() : end;
        while (cut < answer.size() && (answer[cut] & 0xC0) == 0x80) cut++;
        auto now = common_chat_parse(answer.substr(0, cut), !last, params);
        if (!now.empty()) {
            for (const auto & diff : common_chat_msg_diff::compute_diffs(before, now)) {
                sum.reasoning_content += diff.reasoning_content_delta;
                sum.content += diff.content_delta;
                if (diff.tool_call_index == std::string::npos) continue;
                if (sum.tool_calls.size() <= diff.tool_call_index) sum.tool_calls.resize(diff.tool_call_index + 1);
                sum.tool_calls[diff.tool_call_index].name += diff.tool_call_delta.name;
                sum.tool_calls[diff.tool_call_index].arguments += diff.tool_call_delta.arguments;
            }
            before = now;
        }
        if (last) return sum.to_json_oaicompat();
    }
}

static json done(const json & job) {
    json result = json::object();
    auto templates = common_chat_templates_init(nullptr, job.at("template").get<std::string>());
    bool supports = common_chat_templates_support_enable_thinking(templates.get());
    common_chat_templates_inputs inputs;
    inputs.messages = common_chat_msgs_parse_oaicompat(job.at("messages"));
    inputs.tools = common_chat_tools_parse_oaicompat(job.at("tools"));
    inputs.parallel_tool_calls = common_chat_templates_get_caps(templates.get())["supports_parallel_tool_calls"];
    inputs.reasoning_format = COMMON_REASONING_FORMAT_DEEPSEEK;
    inputs.enable_thinking = supports;
    if (job.at("thinking").is_boolean()) {
        inputs.enable_thinking = job.at("thinking").get<bool>();
        inputs.chat_template_kwargs["enable_thinking"] = inputs.enable_thinking ? "true" : "false";
    }
    auto params = common_chat_templates_apply(templates.get(), inputs);
    result["prompt"] = params.prompt;
    result["thinks"] = supports;
    if (job.contains("answer")) {
        std::string answer = job.at("answer").get<std::string>();
        common_chat_parser_params parser(params);
        parser.reasoning_format = COMMON_REASONING_FORMAT_DEEPSEEK;
        if (!params.parser.empty()) parser.parser.load(params.parser);
        result["parsed"] = json::array();
        result["parsed"].push_back(common_chat_parse(answer, false, parser).to_json_oaicompat());
        for (const auto & step : job.at("steps")) {
            result["parsed"].push_back(streamed(answer, step.get<size_t>(), parser));
        }
    }
    return result;
}

int main() {
    std::string text((std::istreambuf_iterator<char>(std::cin)), {});
    json results = json::array();
    for (const auto & job : json::parse(text)) results.push_back(done(job));
    std::cout << results.dump() << std::endl;
}
