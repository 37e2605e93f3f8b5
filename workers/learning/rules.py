"""The rules that trainings of this factory follow: those it comes with, or those of a file that a setting names."""

from pydantic import ValidationError
from ruamel.yaml.error import YAMLError

from core.errors import SettingsError
from core.settings import Settings
from schemas.learning import Curriculum, curriculum, parsed


def rules_of(settings: Settings) -> Curriculum:
    """Return the rules; raises SettingsError that names the file, the field and what is wrong with it."""
    path = settings.curriculum
    if path is None:
        return curriculum()
    try:
        return parsed(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"FACTORY_CURRICULUM: cannot read {path}: {error}") from error
    except YAMLError as error:
        raise SettingsError(f"FACTORY_CURRICULUM: {path} is no YAML: {error}") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise SettingsError(f"FACTORY_CURRICULUM: {path}: {wrong}; see schemas/data/learning.yaml") from error
