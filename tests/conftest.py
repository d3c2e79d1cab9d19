"""What holds for every test."""

from __future__ import annotations

from hypothesis import Phase, settings

settings.register_profile("any machine", deadline=None)  # a busy machine is no failure
settings.register_profile("one failure is enough", deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
settings.load_profile("any machine")
