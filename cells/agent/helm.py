"""placeholder"""


class HelmRuntime:
    def __init__(self, folder):
        raise SystemExit
