"""The chat page: the one folder that imports Gradio, in `layout`, `talk` and `theme`, and only when it is served."""
