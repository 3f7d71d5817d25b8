"""System turns that list tools, as published sets of calls write them."""

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "It's the weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
OTHER = {"name": "time", "description": "The time", "parameters": {"type": "object", "properties": {}}}
HERMES = (
    "You are a function calling AI model. You are provided with function signatures within <tools> </tools> "
    "XML tags. Don't make assumptions.\n<tools>\n{tools}\n</tools>\nFor each function call return a json "
    "object with function name and arguments within <tool_call> </tool_call> tags with the following "
    "schema:\n<tool_call>\n{{'arguments': <args-dict>, 'name': <function-name>}}\n</tool_call>\n"
)
QWEN = (
    "You are kind.\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
    "You are provided with function signatures within <tools></tools> XML tags:\n<tools>\n{tools}\n</tools>"
    "\n\nFor each function call, return a json object with function name and arguments within "
    "<tool_call></tool_call> XML tags:\n<tool_call>\n"
    '{{"name": <function-name>, "arguments": <args-json-object>}}\n</tool_call>'
)

OFFERS = '<tools>[{"name":"%s","parameters":{"type":"object"}}]</tools>'
