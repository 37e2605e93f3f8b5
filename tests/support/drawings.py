"""Small drawn pictures, made on the spot."""

from io import BytesIO

from PIL import Image, ImageDraw

GROUND = (0, 0, 0, 0)


def mug(size: int = 128, colour: str = "#c02020") -> Image.Image:
    """A mug with a handle and a dark rim, on a transparent ground, drawn four times as large and reduced."""
    big = Image.new("RGBA", (400, 400), GROUND)
    pen = ImageDraw.Draw(big)
    pen.ellipse((240, 140, 370, 290), outline=colour, width=36)
    pen.rounded_rectangle((70, 90, 290, 340), 40, fill=colour)
    pen.ellipse((85, 70, 275, 130), fill="#301808")
    return big.resize((size, size), Image.Resampling.LANCZOS)


def rocket(size: int = 128) -> Image.Image:
    """A blue rocket with a window and flames, drawn four times as large and reduced."""
    big = Image.new("RGBA", (400, 400), GROUND)
    pen = ImageDraw.Draw(big)
    pen.polygon(((200, 20), (270, 150), (270, 290), (130, 290), (130, 150)), fill="#3060d0")
    pen.polygon(((130, 220), (70, 320), (130, 290)), fill="#203070")
    pen.polygon(((270, 220), (330, 320), (270, 290)), fill="#203070")
    pen.ellipse((165, 120, 235, 190), fill="#e0f0ff")
    pen.polygon(((160, 290), (240, 290), (200, 390)), fill="#f0a020")
    return big.resize((size, size), Image.Resampling.LANCZOS)


def scene(size: tuple[int, int] = (320, 240)) -> Image.Image:
    """A photograph's stand-in without alpha: a sun over hills, with the colours of a sky."""
    picture = Image.linear_gradient("L").resize(size).convert("RGB")
    pen = ImageDraw.Draw(picture)
    pen.ellipse((size[0] * 0.6, size[1] * 0.1, size[0] * 0.8, size[1] * 0.4), fill="#ffd040")
    pen.polygon(((0, size[1]), (size[0] * 0.4, size[1] * 0.5), (size[0] * 0.9, size[1])), fill="#208040")
    return picture


def encoded(image: Image.Image, form: str) -> bytes:
    """Return the bytes of a picture as PNG, JPEG or WEBP."""
    data = BytesIO()
    image.save(data, form)
    return data.getvalue()
