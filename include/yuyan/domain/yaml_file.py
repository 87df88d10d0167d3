"""A YAML file that people edit, with the line of everything in it, so that an error can say where."""

from pathlib import Path
from typing import Any

import yaml

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where there is one: every task of the line reads all entities, and the Python one takes four times as long."""

_MERGE = "tag:yaml.org,2002:merge"


def read(path: Path) -> Any:
    """The document of a file that nobody has to be led to a line of. Raises yaml.YAMLError, OSError."""
    return yaml.load(path.read_text(encoding="utf-8"), _Loader)


class YamlError(ValueError):
    """A file that is not YAML, not a mapping, or says one key twice; the message names file, line and remedy."""


class YamlFile:
    """The document of a file and where it stands.

    >>> file = YamlFile(Path("include/institutions/10611.yml"))
    >>> file.data["product"]
    'rest-versioned'
    >>> file.at("product")
    'include/institutions/10611.yml:3'
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise YamlError(f"{path}: is not UTF-8 (byte {error.start + 1}); save it as UTF-8") from None
        except OSError as error:
            raise YamlError(
                f"{path}: cannot be read ({type(error).__name__}); check the file's rights"
            ) from None
        loader = _Loader(text)
        try:
            self._root = loader.get_single_node()
            if not isinstance(self._root, yaml.MappingNode):
                raise YamlError(
                    f"{path}:1: not a mapping of names to values; compare with a neighbouring file"
                )
            self._refuse_repeated_keys(self._root)
            self.data: dict[str, Any] = loader.construct_document(self._root)
        except ValueError as error:  # a date or a number that is none
            raise (
                error if isinstance(error, YamlError) else YamlError(f"{path}: {error}; quote the value")
            ) from None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = mark.line + 1 if mark else 1
            raise YamlError(
                f"{path}:{line}: not YAML ({getattr(error, 'problem', error)}); mind quotes and indentation"
            ) from error
        finally:
            loader.dispose()

    def at(self, *keys: str | int) -> str:
        """`path:line` of what the keys lead to, or of the last key that is there."""
        node, line = self._root, self._root.start_mark.line
        for key in keys:
            if isinstance(node, yaml.MappingNode):
                found = next(((k, v) for k, v in node.value if k.value == str(key)), None)
            elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
                found = (node.value[key],) * 2
            else:
                found = None
            if found is None:
                break
            line, node = found[0].start_mark.line, found[1]
        return f"{self.path}:{line + 1}"

    def _refuse_repeated_keys(self, node: yaml.Node) -> None:
        """YAML says that keys are unique; PyYAML keeps the last and drops the others without a word."""
        children = node.value if isinstance(node, yaml.SequenceNode) else []
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                if key.value in seen and key.tag != _MERGE:
                    line = key.start_mark.line + 1
                    raise YamlError(
                        f"{self.path}:{line}: {key.value} is used twice; rename or remove one of the two"
                    )
                if isinstance(key, yaml.ScalarNode):
                    seen.add(key.value)
                children.append(value)
        for child in children:
            if isinstance(child, yaml.CollectionNode):
                self._refuse_repeated_keys(child)
