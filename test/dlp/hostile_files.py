"""Writes the suite of hostile files into a folder: `hostile_files.py FOLDER`; manifest.json beside them says of each its
kind and the codes its verdict may have. Everything is made here, by python3's own libraries or byte by byte."""
import json
import os
import sys

import hostile_archives
import hostile_documents
import hostile_pdfs

folder = sys.argv[1]
manifest = {}


def save(kind, name, data, *codes):
    path = f'{kind.replace(" ", "-")}--{name}'
    with open(os.path.join(folder, path), 'wb') as f:
        f.write(data.encode('utf-8', 'surrogatepass') if isinstance(data, str) else data)
    manifest[path] = {'kind': kind, 'codes': codes}


for part in (hostile_archives, hostile_documents, hostile_pdfs):
    part.write(save)
with open(os.path.join(folder, 'manifest.json'), 'w') as f:
    json.dump(manifest, f)
