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


class ByteCode(object):
    """Imports modules from their byte code for this Python, which is one member of the archive.

    If there is none, zipimport finds the sources.
    """

    def __init__(self, archive):
        self.archive = archive
        member = "byte-code/%d" % int.from_bytes(MAGIC_NUMBER[:2], "little")
        try:
            self.modules = marshal.loads(archive.get_data(member))
        except OSError:
            self.modules = {}

    def find_spec(self, name, path=None, target=None):
        if name not in self.modules:
            return None
        is_package = self.modules[name][0]
        file = name.replace(".", "/") + ("/__init__.py" if is_package else ".py")
        origin = os.path.join(self.archive.archive, file)
        spec = type(__spec__)(name, self, origin=origin, is_package=is_package)
        if is_package:
            spec.submodule_search_locations = [os.path.dirname(origin)]
        return spec

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        module.__file__ = module.__spec__.origin
        code = marshal.loads(zlib.decompress(self.modules[module.__name__][1], -zlib.MAX_WBITS))
        exec(code, module.__dict__)

    def get_data(self, path):
        return self.archive.get_data(path)

    def get_source(self, name):
        return self.archive.get_source(name.replace(".", "/"))


sys.meta_path.insert(0, ByteCode(zipimport.zipimporter(sys.path[0])))

from secboot.cli import main

sys.exit(main())
