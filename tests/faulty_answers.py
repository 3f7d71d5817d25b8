"""Answers with something wrong, by the kind of it."""

PROSE = "Plants need water. They need light, too. Good soil helps them most. "
CROPS = ("Beans", "Maize", "Rice", "Wheat", "Oats", "Barley", "Millet", "Sorghum", "Cassava", "Peas")
LONG = (
    " ".join(f"{crop} grow in field {n} on the {crop[::-1].lower()} side." for n, crop in enumerate(CROPS))
    + PROSE
)
TICKS = "`" * 3


def thinking(thought, text, tag="think"):
    return f"<{tag}>\n{thought}\n</{tag}>\n\n{text}"


FAULTS = {
    "cut_off": [
        "Plants need water and",
        "Ladies and",
        f"{PROSE}They take it from the",
        f"{PROSE}In spring they will",
        f"{PROSE}- **Water:** They take it up through a",
        f"{LONG}They take up salts (such as potass",
        "To water a plant, follow these steps:",
        "Sure, here is a recipe for bread:",
        "print('{}'.format(",
        "Pflanzen brauchen Wasser und",
        "1, 2, 4, 5, 10, and",
    ],
    "unended": [
        f"{LONG}{PROSE}They take it up through their roots. Without it leaves hang down and the whole pla",
        "\n".join(
            f"{n}. **{crop}:** they are sown in field {n} and eaten by {crop[::-1].lower()}s."
            for n, crop in enumerate(CROPS)
        )
        + "\n11. **Soil:** it is dug up in autumn, and it must not be too da",
    ],
    "open_fence": [
        f"Here it is:\n\n{TICKS}python\nprint(1)",
        f"{TICKS}\na\n{TICKS}\n\nThen:\n\n{TICKS}sh\nls\n\nI hope that it helps!",
    ],
    "repetition": [
        PROSE + "Water is good. " * 12,
        "ha ha water " * 20,
        PROSE + "\n".join(f"{n}. The Jazz Singer" for n in range(1, 30)),
        PROSE + "look at the roots and " * 40 + PROSE * 3,
    ],
    "template_rest": [
        "<noinput>",
        "Water.\n<no input>",
        "<<<answer>>>: water",
        "Dear {{customer_name}}, hello.",
        "无输入",
    ],
    "blank": [
        "Best regards,\n[Your Name]",
        "Dear [Recipient's Name], hello.",
        "On [insert date] we met.",
        "此致\n[您的姓名]",
    ],
    "other_speaker": [
        "Water.\n\nHuman: And what else?\n\nAssistant: Light.",
        "Water.\n##\n12. Instruction: Name a colour.\n12. Input:\nred",
        "Water.\n\n### Instruction:\nName a colour.",
        "### Response: Water.",
    ],
    "refusal": [
        "I'm sorry, but I can't help with that.",
        "I cannot provide medical advice.",
        "As an AI language model, I am unable to browse the web.",
        "抱歉\uff0c我无法提供帮助。",
        "Lo siento, pero no puedo ayudarte con eso.",
    ],
    "as_an_ai": [
        "As an AI language model, I have no roots.",
        "I'm just an AI, but water is good.",
        "Water. My knowledge cutoff is September 2021.",
        "作为一个人工智能语言模型\uff0c我没有感情。",
    ],
    "echo": ["What do plants need?", "what do plants need", '"What do plants need?"'],
    "no_words": ["...", "-", TICKS, "_", "[]", "???"],
    "missing_text": [
        "Please provide the article that you want me to summarize.",
        "You haven't provided the text.",
        "As shown in Figure 3, plants need water.",
        "According to the passage, plants need water.",
    ],
    "lost_letters": ["Plants need 10\ufffdC."],
    "open_thought": [f"<think>\nPlants. {PROSE}", f"<reasoning>{PROSE}"],
    "doubled_thought": [
        f"<think>\n<think>\n{PROSE}</think>\n\nWater.",
        f"{thinking(PROSE, '')}{thinking(PROSE, 'Water.')}",
        f"<think>{PROSE}</think></think>Water.",
    ],
    "empty_thought": [thinking("", "Water."), thinking("...", "Water.", "thinking")],
    "thought_loop": [thinking(PROSE + "Wait, light. " * 20, "Water.")],
    "thought_repeated": [thinking(PROSE, PROSE)],
}
