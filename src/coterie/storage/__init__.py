"""A folder of arrays and tables with a manifest, written whole or not at all, memory-mapped when read.

::

    folder/
      manifest.json            kind, format, meta, and of every file: size, SHA-256, times
      g-4242-9f3c01ab/         one generation of content: *.npy (arrays), *.arrow (tables)

Content never changes once the manifest names it. A new folder is made beside its place and renamed into
it; an existing one receives a new generation, and then one atomic rename replaces the manifest. So a
reader finds the old content or the new, whole, at whatever moment a writer dies. Nothing is pickled.
"""

from coterie.storage.files import file_digest, remove_folder, remove_stale, replace_text, replacing, temporary_beside
from coterie.storage.manifest import FORMAT, MANIFEST, REMEDY, Array, Part, read_manifest
from coterie.storage.reading import Stored, Verify, read_folder
from coterie.storage.writing import Parts, write_folder

__all__ = [
    "FORMAT",
    "MANIFEST",
    "REMEDY",
    "Array",
    "Part",
    "Parts",
    "Stored",
    "Verify",
    "file_digest",
    "read_folder",
    "read_manifest",
    "remove_folder",
    "remove_stale",
    "replace_text",
    "replacing",
    "temporary_beside",
    "write_folder",
]
