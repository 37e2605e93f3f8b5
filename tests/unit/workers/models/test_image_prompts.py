import pytest

from schemas.campaigns import Audience, Brand, Product
from schemas.jobs import Brief, PictureOrder, Revision
from workers.models.image_prompts import negative_of, prompt_of, subject_of


def brief(picture: PictureOrder | None = None, locale: str = "en") -> Brief:
    return Brief(
        brand=Brand(name="Northbeam", voice="warm, dry"),
        product=Product(
            sku="NB-1", name="Ember Espresso", description="Dark roast. Notes of cocoa and smoke.", price="14.90 EUR"
        ),
        audience=Audience(id="commuters", description="people who need coffee before eight"),
        channel="instagram.square",
        locale=locale,
        picture=picture,
    )


@pytest.mark.parametrize(
    ("description", "things"),
    [
        ("", ""),
        ("Whole beans, roasted on Monday, in a bag of 250 g.", ", Whole beans, bag"),
        ("Running shoes with red laces that last for years. They are made by hand.", ", Running shoes, red laces"),
        ("The best mug: steel, without a lid, 29.90 EUR, free shipping.", ", steel"),
        ("Red mug, red mug, RED MUG", ", Red mug"),
        ("Dunkle Röstung mit Kakao und Rauch", ", Dunkle Röstung mit Kakao und Rauch"),
        ("one, two, bowl, cup, jar, pot, lid, can, tin", ", bowl, cup, jar, pot, lid"),
    ],
)
def test_a_subject_is_the_product_and_the_things_its_description_names(description: str, things: str):
    product = Product(sku="P-1", name="Harbour  Mug", description=description)

    assert subject_of(product) == f"Harbour Mug{things}"


def test_a_subject_that_the_product_names_stands_for_its_name_and_description():
    product = Product(sku="P-1", name="Harbour Mug", description="Red mug", subject="a steaming\nmug")

    assert subject_of(product) == "a steaming mug"


def test_a_prompt_holds_no_audience_voice_price_or_locale():
    assert prompt_of(brief(), "") == "Ember Espresso, Dark roast, cocoa, smoke"
    assert prompt_of(brief(locale="de"), "") == prompt_of(brief(), "")


def test_the_house_look_stands_in_for_a_look_that_is_not_given():
    assert prompt_of(brief(), "photograph") == "Ember Espresso, Dark roast, cocoa, smoke, photograph"
    assert prompt_of(brief(PictureOrder(look="ink drawing")), "photograph").endswith("smoke, ink drawing")


def test_an_order_replaces_the_subject_and_names_what_shall_not_be_seen():
    order = PictureOrder(prompt="a cup\nof coffee", look="ink drawing", negative=" text,  hands")

    assert prompt_of(brief(order), "photograph") == "a cup of coffee, ink drawing"
    assert negative_of(brief(order)) == "text, hands"
    assert negative_of(brief()) == ""


def test_a_picture_that_replaces_one_is_led_away_from_what_was_wrong_with_it():
    revision = Revision(replaces="spring-000001", round=2, reasons=("distorted", "off-brand"))
    told = brief(PictureOrder(negative="text")).model_copy(update={"revision": revision})

    assert negative_of(told) == "text, distorted, deformed, blurry, broken"
    assert negative_of(told, tells_revision=False) == "text"
