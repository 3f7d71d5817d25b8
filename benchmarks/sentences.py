"""Labelled sentences in 32 languages, written for this project: the truth for language identification."""

# ruff: noqa: RUF001, E501 - letters of many scripts look like one another, and may be wide.

SENTENCES: dict[str, tuple[str, str]] = {
    "ar": (
        "كيف أسقي النباتات في الحديقة عندما يكون الجو حارا في الصيف؟",
        "من الأفضل أن تسقي النباتات في الصباح الباكر قبل أن ترتفع حرارة الشمس.",
    ),
    "bg": (
        "Колко често трябва да поливам доматите в градината през лятото?",
        "Най-добре е да ги поливате рано сутрин, преди слънцето да стане прекалено силно.",
    ),
    "ca": (
        "Quina és la millor manera de regar les plantes del jardí durant l'estiu?",
        "És millor regar-les al matí, abans que el sol sigui massa fort, i no mullar gaire les fulles.",
    ),
    "cs": (
        "Jak často mám v létě zalévat rajčata na zahradě, když je velké horko?",
        "Nejlepší je zalévat je brzy ráno, než začne slunce příliš hřát, a nenamočit přitom listy.",
    ),
    "da": (
        "Hvor ofte skal jeg vande mine tomater i haven, når det er meget varmt om sommeren?",
        "Det er bedst at vande dem tidligt om morgenen, før solen bliver for stærk, og ikke gøre bladene våde.",
    ),
    "de": (
        "Wie oft soll ich im Sommer die Tomaten im Garten gießen, wenn es sehr heiß ist?",
        "Am besten gießt man sie früh am Morgen, bevor die Sonne zu stark wird, und macht die Blätter nicht nass.",
    ),
    "el": (
        "Πόσο συχνά πρέπει να ποτίζω τις ντομάτες στον κήπο το καλοκαίρι;",
        "Είναι καλύτερα να τις ποτίζετε νωρίς το πρωί, πριν γίνει πολύ δυνατός ο ήλιος.",
    ),
    "en": (
        "How often should I water the tomatoes in the garden when it is very hot in summer?",
        "It is best to water them early in the morning, before the sun is too strong, and to keep the leaves dry.",
    ),
    "es": (
        "¿Con qué frecuencia debo regar los tomates del jardín cuando hace mucho calor en verano?",
        "Lo mejor es regarlos por la mañana temprano, antes de que el sol sea demasiado fuerte.",
    ),
    "et": (
        "Kui tihti peaksin ma suvel aias tomateid kastma, kui ilm on väga kuum?",
        "Kõige parem on neid kasta varahommikul, enne kui päike liiga tugevaks läheb.",
    ),
    "fa": (
        "در تابستان که هوا خیلی گرم است، چند وقت یک بار باید گوجه‌فرنگی‌های باغچه را آب بدهم؟",
        "بهتر است صبح زود، پیش از آنکه آفتاب شدید شود، به آنها آب بدهید.",
    ),
    "fi": (
        "Kuinka usein minun pitäisi kastella puutarhan tomaatteja kesällä, kun on hyvin kuuma?",
        "Ne on parasta kastella aikaisin aamulla, ennen kuin aurinko paistaa liian kuumasti.",
    ),
    "fr": (
        "À quelle fréquence dois-je arroser les tomates du jardin quand il fait très chaud en été ?",
        "Il vaut mieux les arroser tôt le matin, avant que le soleil ne soit trop fort, sans mouiller les feuilles.",
    ),
    "he": (
        "באיזו תדירות כדאי להשקות את העגבניות בגינה כאשר חם מאוד בקיץ?",
        "מומלץ להשקות אותן מוקדם בבוקר, לפני שהשמש חזקה מדי.",
    ),
    "hi": (
        "गर्मियों में जब बहुत धूप हो तो बगीचे के टमाटरों को कितनी बार पानी देना चाहिए?",
        "उन्हें सुबह जल्दी पानी देना सबसे अच्छा है, इससे पहले कि धूप बहुत तेज़ हो जाए।",
    ),
    "hu": (
        "Milyen gyakran kell öntöznöm a kertben a paradicsomot, amikor nyáron nagyon meleg van?",
        "A legjobb kora reggel öntözni, mielőtt a nap túl erősen sütne, és a leveleket nem szabad megnedvesíteni.",
    ),
    "id": (
        "Seberapa sering saya harus menyiram tomat di kebun ketika cuaca sangat panas?",
        "Sebaiknya tanaman itu disiram pada pagi hari sebelum matahari menjadi terlalu terik.",
    ),
    "it": (
        "Quante volte devo annaffiare i pomodori dell'orto quando d'estate fa molto caldo?",
        "È meglio annaffiarli la mattina presto, prima che il sole diventi troppo forte, senza bagnare le foglie.",
    ),
    "ja": (
        "夏のとても暑い日には、庭のトマトにどのくらいの頻度で水をやればいいですか。",
        "日差しが強くなる前の早朝に水をやるのが一番よいでしょう。",
    ),
    "ko": (
        "여름에 아주 더울 때 정원의 토마토에 얼마나 자주 물을 주어야 하나요?",
        "햇빛이 너무 강해지기 전에 이른 아침에 물을 주는 것이 가장 좋습니다.",
    ),
    "nl": (
        "Hoe vaak moet ik de tomaten in de tuin water geven als het in de zomer erg warm is?",
        "Je kunt ze het beste vroeg in de ochtend water geven, voordat de zon te sterk wordt.",
    ),
    "no": (
        "Hvor ofte bør jeg vanne tomatene i hagen når det er veldig varmt om sommeren?",
        "Det er best å vanne dem tidlig om morgenen, før sola blir for sterk, og ikke gjøre bladene våte.",
    ),
    "pl": (
        "Jak często powinienem podlewać pomidory w ogrodzie, kiedy latem jest bardzo gorąco?",
        "Najlepiej podlewać je wcześnie rano, zanim słońce będzie zbyt mocne, i nie moczyć przy tym liści.",
    ),
    "pt": (
        "Com que frequência devo regar os tomates da horta quando faz muito calor no verão?",
        "O melhor é regá-los de manhã cedo, antes que o sol fique muito forte, e não molhar as folhas.",
    ),
    "ro": (
        "Cât de des trebuie să ud roșiile din grădină atunci când vara este foarte cald?",
        "Cel mai bine este să le uzi dimineața devreme, înainte ca soarele să fie prea puternic.",
    ),
    "ru": (
        "Как часто нужно поливать помидоры в огороде, когда летом очень жарко?",
        "Лучше всего поливать их рано утром, пока солнце ещё не слишком сильное, и не мочить листья.",
    ),
    "sv": (
        "Hur ofta ska jag vattna tomaterna i trädgården när det är mycket varmt på sommaren?",
        "Det är bäst att vattna dem tidigt på morgonen, innan solen blir för stark, och inte blöta bladen.",
    ),
    "th": (
        "ในฤดูร้อนที่อากาศร้อนมาก ควรรดน้ำมะเขือเทศในสวนบ่อยแค่ไหน",
        "ควรรดน้ำแต่เช้าก่อนที่แดดจะแรงเกินไป",
    ),
    "tr": (
        "Yazın hava çok sıcak olduğunda bahçedeki domatesleri ne sıklıkla sulamalıyım?",
        "Onları güneş çok kuvvetlenmeden önce, sabah erkenden sulamak en iyisidir.",
    ),
    "uk": (
        "Як часто треба поливати помідори на городі, коли влітку дуже спекотно?",
        "Найкраще поливати їх рано-вранці, поки сонце ще не надто сильне, і не мочити листя.",
    ),
    "vi": (
        "Tôi nên tưới cà chua trong vườn bao lâu một lần khi mùa hè trời rất nóng?",
        "Tốt nhất là tưới cây vào sáng sớm, trước khi nắng trở nên quá gắt.",
    ),
    "zh": (
        "夏天天气很热的时候，花园里的西红柿应该多久浇一次水？",
        "最好在清晨太阳还不太强的时候浇水，并且不要把叶子弄湿。",
    ),
}  # fmt: skip
