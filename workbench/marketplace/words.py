"""The words of the shop: what is sold, how else people call it, who makes it, how it is praised.

Tables only, and the one function that reads them. Nothing here is drawn; `language` draws.

- A noun is a product concept with one to four surface forms, the first of which is its name. People
  rarely agree on a word: two of them choose the same one for the same thing less than one time in
  five (Furnas, Landauer, Gomez & Dumais 1987, "The vocabulary problem in human-system
  communication", CACM 30(11)). This shop is kinder: a form's share falls with its rank in the list.
- Nouns of one group (between two semicolons) stand in for each other or go together; `language`
  grades relevance by it.
- Some words mean two things, in two departments: "apple", "mouse", "java", "bass" (Sanderson 2008,
  "Ambiguous queries: test collections need more sense", SIGIR, on real ones). They are listed by
  name, and a test holds that nothing else in the shop uses them.
- The order of the categories is for small shops: the first two share "apple", "orange" and
  "blackberry". Beyond the last, categories of invented words follow, as many as asked for.

Brands are invented. Attributes avoid the ambiguous words ("orange" is no colour here).
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "ADJECTIVES", "AMBIGUOUS", "ATTRIBUTES", "BENEFITS", "BRANDS", "DEPARTMENTS", "TREE",
    "VERDICTS", "WISHES", "Noun", "category_of",
]  # fmt: skip

DEPARTMENTS = ("electronics", "groceries", "books", "leisure", "fashion", "home")

# Department, category, nouns: "name/other form, next noun; next group, ..."
TREE = (
    ("electronics", "phones",
     "smartphone/mobile phone/apple phone, keypad phone/button phone/blackberry phone; "
     "phone case/phone cover/phone shell, screen protector/screen guard/display film; "
     "charger/power adapter/mains plug, power bank/battery pack; "
     "sim card/prepaid card/orange card, roaming pass/travel data pass"),
    ("groceries", "fruit",
     "eating apple/apple/apple fruit, pear/conference pear; "
     "sweet orange/orange/navel orange, clementine/mandarin/satsuma; "
     "bramble/blackberry/wild blackberry, raspberry/framboise; banana/plantain, pineapple/ananas"),
    ("books", "programming books",
     "python book/python guide/learning python, java book/java handbook/learning java; "
     "ruby book/ruby guide, spring book/spring framework guide; "
     "statistics textbook/statistics primer, machine learning textbook/deep learning textbook"),
    ("leisure", "pets",
     "toy mouse/cat mouse/mouse/catnip toy, scratching post/cat tree; "
     "dog lead/dog leash, dog collar/neck band; "
     "dog food/kibble, cat litter/litter granules; aquarium/fish tank, bird cage/aviary"),
    ("groceries", "drinks",
     "coffee beans/java/java coffee, espresso capsules/coffee pods; "
     "green tea/sencha, black tea/breakfast tea; "
     "spring water/spring/mineral water, lemonade/fizzy drink/soda"),
    ("electronics", "computers",
     "laptop/portable computer/notebook, desktop computer/tower pc; "
     "computer mouse/mouse/pointing device, computer keyboard/keyboard; "
     "monitor/computer screen/flat panel, webcam/video call camera; "
     "hard drive/external disk, memory stick/usb stick/flash drive"),
    ("leisure", "music",
     "bass guitar/bass/electric bass, acoustic guitar/folk guitar; "
     "stage piano/keyboard/electric keyboard, accordion/squeezebox; "
     "drum sticks/drumstick pair/drumstick, drum kit/drum set; "
     "school flute/recorder/wooden recorder, violin/fiddle"),
    ("groceries", "fish and meat",
     "sea bass/bass/bass fillet, flatfish/sole/lemon sole; "
     "ray wing/skate/skate wing, salmon/smoked salmon; "
     "chicken leg/drumstick/chicken drumstick, pork sausage/bratwurst; minced beef/ground beef, "
     "bacon/streaky rashers"),
    ("fashion", "jewellery",
     "gemstone ring/ruby/ruby ring, wedding band/plain ring; "
     "necklace/chain/gold chain, pendant/locket; "
     "wristwatch/watch/timepiece, bracelet/bangle; earrings/ear studs, brooch/lapel pin"),
    ("home", "living room",
     "sofa/couch/settee, armchair/easy chair; "
     "rug/carpet, curtains/drapes; "
     "bookcase/bookshelf, sideboard/credenza; floor lamp/standing light, cushion/scatter pillow"),
    ("fashion", "shoes",
     "trainers/sneakers/running shoes, snakeskin boots/python boots/python; "
     "court shoes/pump/leather pump, sandals/flip-flops; "
     "slippers/house shoes, insoles/shoe sole/sole; loafers/slip-ons, wellingtons/rubber boots"),
    ("leisure", "sport",
     "roller blades/skate/inline skate, skis/ski set; "
     "cricket bat/bat/willow bat, tennis racket/racquet; "
     "dumbbell/hand weight, yoga mat/exercise mat; football/soccer ball, swim goggles/swim mask"),
    ("home", "garden",
     "roosting box/bat/bat house, nest box/bird house; "
     "heron statue/crane/crane statue, garden gnome/lawn ornament; "
     "herb pot/mint/mint plant, flower pot/planter; spade/shovel, hose/water pipe"),
    ("leisure", "toys",
     "toy car/jaguar/jaguar model car, toy digger/crane/toy crane; "
     "whirligig/top/spinning top, doll/dolly; "
     "traffic game/jam/traffic jam game, jigsaw/puzzle; "
     "building bricks/construction blocks, teddy bear/cuddly toy/plush"),
    ("fashion", "clothing",
     "blouse/top/summer top, t-shirt/tee; "
     "leopard coat/jaguar/jaguar print coat, rain jacket/anorak; "
     "jumper/sweater/pullover, cardigan/knit jacket; trousers/slacks, jeans/denims"),
    ("groceries", "sweets",
     "fruit spread/jam/strawberry jam, honey/blossom honey; "
     "peppermint drops/mint/mint sweets, liquorice/licorice; "
     "chocolate bar/cocoa bar, biscuits/cookies"),
    ("home", "kitchen",
     "frying pan/skillet, saucepan/cooking pot; "
     "kitchen thermometer/mercury/mercury thermometer, kitchen scales/food balance; "
     "kettle/water boiler, toaster/bread grill; chopping board/cutting board, chef knife/cleaver"),
    ("books", "science books",
     "planet atlas/mercury/mercury atlas, star map/sky chart; "
     "bird book/ornithology guide, flower book/botany guide; "
     "physics textbook/mechanics primer, chemistry textbook/chemistry primer"),
    ("electronics", "sound and cameras",
     "dictaphone/recorder/voice recorder, microphone/mic; "
     "headphones/headset, speaker/loudspeaker; "
     "camera/photo camera, tripod/camera stand; record player/turntable, radio/tuner"),
    ("leisure", "cycling",
     "bicycle/bike/pushbike, kick scooter/scooter; "
     "tyre inflator/pump/tyre pump, drive train/chain/roller chain; "
     "cycle helmet/crash hat, cycle light/headlight; saddle/cycle seat, pannier/rack bag"),
    ("books", "stationery",
     "writing pad/notebook/lined notebook, diary/journal; "
     "fountain pen/ink pen, pencil/crayon; envelope/letter cover, stapler/paper fastener"),
    ("groceries", "pantry",
     "pasta/shell/shell pasta, rice/basmati; "
     "olive oil/salad oil, vinegar/balsamico; flour/wheat meal, oats/porridge flakes"),
    ("fashion", "bags",
     "handbag/purse/tote, clutch bag/evening bag; "
     "backpack/rucksack, suitcase/luggage/trolley case; wallet/billfold, belt/waist strap"),
    ("home", "bedroom",
     "mattress/bed pad, bed frame/bedstead; "
     "duvet/quilt/comforter, pillow/head rest; wardrobe/closet, bedside table/nightstand"),
)  # fmt: skip

# A word of its own that means two nouns, in two departments; live when both are sold.
AMBIGUOUS = {
    "apple": ("smartphone", "eating apple"),
    "blackberry": ("keypad phone", "bramble"),
    "orange": ("sim card", "sweet orange"),
    "shell": ("phone case", "pasta"),
    "java": ("java book", "coffee beans"),
    "python": ("python book", "snakeskin boots"),
    "ruby": ("ruby book", "gemstone ring"),
    "spring": ("spring book", "spring water"),
    "mouse": ("toy mouse", "computer mouse"),
    "keyboard": ("computer keyboard", "stage piano"),
    "notebook": ("laptop", "writing pad"),
    "bass": ("bass guitar", "sea bass"),
    "drumstick": ("drum sticks", "chicken leg"),
    "recorder": ("school flute", "dictaphone"),
    "sole": ("flatfish", "insoles"),
    "skate": ("ray wing", "roller blades"),
    "chain": ("necklace", "drive train"),
    "pump": ("court shoes", "tyre inflator"),
    "bat": ("cricket bat", "roosting box"),
    "crane": ("heron statue", "toy digger"),
    "mint": ("herb pot", "peppermint drops"),
    "jaguar": ("toy car", "leopard coat"),
    "top": ("whirligig", "blouse"),
    "jam": ("traffic game", "fruit spread"),
    "mercury": ("kitchen thermometer", "planet atlas"),
}

BRANDS = {
    "electronics": "Voltara Kinexo Lumetriq Orbiwave Zentriq Pixolo Hexatone Nuvolink Tessaro",
    "groceries": "Meadowby Hearthgold Sunfolde Barrowfeld Olivanta Greenstow Harvestra Millbray",
    "books": "Quillhaven Inkstead Folioforth Margina Versoames Paperlark Octavora Scriptmoor",
    "leisure": "Playmora Trekkano Bouncewell Rallyo Jollifax Windrover Tumblestone Larkspire",
    "fashion": "Velmonte Stitchley Amarisse Corduro Lindenholt Passetto Threadwyn Bellavere",
    "home": "Norrvika Hearthmoor Casalta Timberlune Oakstead Domiva Lampadoro Cosyfell Brightwold",
}

# What it is made of or like; its size, pack or edition.
ATTRIBUTES = {
    "electronics": ("black, white, silver, graphite, blue, matt grey, wireless, fast",
                    "compact, slim, large, 64 GB, 128 GB, with cable, two-pack, travel size"),
    "groceries": ("organic, fresh, local, fair trade, ripe, mild, sweet, natural",
                  "250 g, 500 g, 1 kg, family pack, two-pack, single, small box, large box"),
    "books": ("paperback, hardcover, illustrated, pocket, signed, reprinted, annotated, bound",
              "first edition, second edition, third edition, 200 pages, 400 pages, with exercises, "
              "large print, boxed"),
    "leisure": ("red, blue, yellow, wooden, aluminium, carbon, lightweight, sturdy",
                "for beginners, for children, for adults, junior, full size, with bag, set of two, "
                "competition size"),
    "fashion": ("cotton, wool, leather, linen, silver, navy, black, beige",
                "small, medium, large, extra large, slim cut, wide cut, unisex, one size"),
    "home": ("oak, walnut, steel, linen, velvet, ceramic, grey, white",
             "small, medium, large, extra large, set of two, set of four, foldable, stackable"),
}  # fmt: skip

# By quality tier: low, middle, high.
ADJECTIVES = (
    "basic, simple, budget, plain, economy, everyday, no-frills, value",
    "classic, popular, reliable, trusted, favourite, standard, modern, proven",
    "premium, luxury, finest, exquisite, superior, award-winning, exclusive, first-class",
)
VERDICTS = (
    "Does the job at a small price., Nothing fancy., Good enough for a start., Our lowest price.",
    "A choice many customers make., Good value., Made to last., A safe choice.",
    "Checked by hand., For the demanding., Made without compromise., A pleasure for years.",
)
BENEFITS = {
    "electronics": "Ready to use out of the box., Saves energy., Works with most devices., "
                   "Two years of warranty.",
    "groceries": "Packed the same day., Keep in a cool place., From small farms., Ripened slowly.",
    "books": "With many examples., For all ages., Reviewed by experts., A gift that lasts.",
    "leisure": "Fun for the whole family., Tested by clubs., Easy to carry., For every weather.",
    "fashion": "Easy to wash., Fits true to size., Goes with everything., Soft on the skin.",
    "home": "Easy to assemble., Wipes clean., Fits small rooms too., From certified makers.",
}  # fmt: skip

WISHES = {"": (), "cheap": ("cheap", "low cost"), "premium": ("premium", "luxury"), "brand": ()}

_SYLLABLES = ("zol", "bri", "vek", "num", "tra", "qui", "fod", "gla", "pim", "xar")  # no real word
_INVENTED = 6  # nouns of a category beyond the tree


class Noun(NamedTuple):
    """A product concept: its surface forms, the first is the name; and its group in the category.

    >>> category_of(9)[2][0]
    Noun(forms=('sofa', 'couch', 'settee'), group=0)
    """

    forms: tuple[str, ...]
    group: int


def category_of(index: int) -> tuple[str, str, list[Noun]]:
    """Department, name and nouns of a category, by its index from 0; invented beyond the tree.

    >>> category_of(1)[:2]
    ('groceries', 'fruit')
    >>> category_of(30)[1], category_of(30)[2][0].forms
    ('gadgets 31', ('zolpimtra', 'zolpimqui'))
    """
    if index < len(TREE):
        department, name, text = TREE[index]
        groups = [group.split(", ") for group in text.split("; ")]
        nouns = [
            Noun(tuple(forms.split("/")), number)
            for number, group in enumerate(groups)
            for forms in group
        ]
        return department, name, nouns
    first = 2 * _INVENTED * (index - len(TREE) + 1)
    words = [_invented(first + step) for step in range(2 * _INVENTED)]
    nouns = [Noun((words[2 * j], words[2 * j + 1]), j // 2) for j in range(_INVENTED)]
    return DEPARTMENTS[index % len(DEPARTMENTS)], f"gadgets {index + 1}", nouns


def _invented(number: int) -> str:
    """A word for each whole number, all different."""
    digits = [int(digit) for digit in f"{number:03d}"]
    return "".join(_SYLLABLES[digit] for digit in digits)
