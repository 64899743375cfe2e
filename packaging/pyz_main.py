# The entry point of secboot.pyz. `python3 secboot.pyz` may be any Python, down to 2.7 and 3.6 of
# older distributions, so this uses only syntax that all of them understand.
import os
import sys

# "./secboot.pyz" would no longer be found after a change of directory.
sys.path[0] = os.path.realpath(sys.path[0])

if sys.version_info < (3, 11):
    # The file is also a shell script, which finds a newer one or says what to install.
    os.execv("/bin/sh", ["/bin/sh", sys.path[0]] + sys.argv[1:])

import marshal
import zipimport
import zlib

from _frozen_importlib_external import MAGIC_NUMBER


class Modules(object):
    """Imports modules from their byte code for this Python, which is one member of the archive.

    If there is none, it compiles their sources. These are an archive inside the archive, because Python
    reads the names of all members at every start.
    """

    def __init__(self, archive):
        self.archive = archive
        member = "byte-code/%d" % int.from_bytes(MAGIC_NUMBER[:2], "little")
        try:
            self.byte_code = memoryview(archive.get_data(member))
        except OSError:
            self.sources = sources(archive)
            self.places = {
                module_of(file): (file.endswith("/__init__.py"),) for file in self.sources
            }
        else:
            size = int.from_bytes(self.byte_code[-4:], "little")
            self.places = marshal.loads(self.byte_code[-4 - size : -4])
            self.sources = None

    def find_spec(self, name, path=None, target=None):
        if name not in self.places:
            return None
        origin = os.path.join(self.archive.archive, self.file(name))
        is_package = self.places[name][0]
        spec = type(__spec__)(name, self, origin=origin, is_package=is_package)
        if is_package:
            spec.submodule_search_locations = [os.path.dirname(origin)]
        return spec

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        module.__file__ = module.__spec__.origin
        exec(self.get_code(module.__name__), module.__dict__)

    def get_code(self, name):
        if self.sources is not None:
            return compile(self.get_source(name), self.file(name), "exec", dont_inherit=True)
        _, start, end, is_packed = self.places[name]
        code = self.byte_code[start:end]
        return marshal.loads(zlib.decompress(code, -zlib.MAX_WBITS) if is_packed else code)

    def get_data(self, path):
        return self.archive.get_data(path)

    def get_source(self, name):
        found = sources(self.archive) if self.sources is None else self.sources
        return found[self.file(name)]

    def file(self, name):
        return name.replace(".", "/") + ("/__init__.py" if self.places[name][0] else ".py")


def sources(archive):
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(archive.get_data("sources.zip"))) as inner:
        return {name: inner.read(name).decode("utf-8") for name in inner.namelist()}


def module_of(file):
    return file.replace("/__init__.py", "").replace(".py", "").replace("/", ".")


sys.meta_path.insert(0, Modules(zipimport.zipimporter(sys.path[0])))

from secboot.cli import main

sys.exit(main())
