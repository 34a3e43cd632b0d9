"""SVG text -> the bytes of a picture in a form that papers take."""

from edgebench.foundation.errors import RequestError, UnknownName

FORMS = ("svg", "png", "pdf")
SCALE = 3.0  # pixels of a PNG for each of the drawing's: 1680 across a figure


def require(form: str) -> None:
    """Refuse a form that cannot be made here, before anything is computed for it.

    Raises:
        UnknownName: there is no such form.
        RequestError: a package is missing.
    """
    if form not in FORMS:
        raise UnknownName("format", form, FORMS)
    if form != "svg":
        try:
            import vl_convert  # noqa: F401
        except ImportError as error:
            raise RequestError(
                f"wanted vl-convert-python for {form}, found none; pip install 'edgebench[figures]', or take svg"
            ) from error


def convert(svg: str, form: str) -> bytes:
    """Write a drawing as SVG, PNG or PDF.

    Raises:
        UnknownName, RequestError: as `require` says.
    """
    require(form)
    if form == "svg":
        return svg.encode()
    import vl_convert

    return bytes(vl_convert.svg_to_png(svg, scale=SCALE) if form == "png" else vl_convert.svg_to_pdf(svg))
