"""The page's colours and type, as a Gradio theme: neutral greys, one accent, system fonts, nothing fetched."""

import gradio as gr

_SHADES = "#eef6f6 #d5e9e9 #aed4d5 #7fb9bb #4f9a9e #2f7f84 #22676c #1d5458 #1b4548 #193a3d #0b2325"  # c50 to c950
ACCENT = gr.themes.Color(*_SHADES.split(), name="accent")
SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def theme() -> gr.themes.Base:
    """The theme; page.css takes its colours from it."""
    stone = gr.themes.colors.stone
    return gr.themes.Base(primary_hue=ACCENT, secondary_hue=ACCENT, neutral_hue=stone, font=SANS, font_mono=MONO).set(
        body_background_fill="#fbfaf8",
        body_background_fill_dark="#161514",
        body_text_color="#23211f",
        body_text_color_dark="#e7e4e0",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_500",
        button_primary_background_fill_hover_dark="*primary_400",
        button_primary_text_color="#ffffff",
    )
