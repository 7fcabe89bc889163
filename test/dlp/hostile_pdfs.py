"""PDFs made to harm whoever reads them; see hostile_archives.py."""
import os
import zlib

CARD = '4111111111111111'
ENDS = ('malformed', 'unsupported', 'too_large', 'time')


def pdf(*objects, tail=''):
    """Objects are texts or (dictionary, stream); numbered from 1, the first is the catalogue."""
    out, offsets = b'%PDF-1.7\n', []
    for number, one in enumerate(objects, 1):
        offsets.append(len(out))
        if isinstance(one, tuple):
            content = one[1] if isinstance(one[1], bytes) else one[1].encode('latin-1')
            body = b'<<%s/Length %d>>stream\n%s\nendstream' % (one[0].encode(), len(content), content)
        else:
            body = one.encode('latin-1')
        out += b'%d 0 obj\n%s\nendobj\n' % (number, body)
    at = len(out)
    out += b'xref\n0 %d\n0000000000 65535 f \n' % (len(objects) + 1) + b''.join(b'%010d 00000 n \n' % offset for offset in offsets)
    return out + f'trailer\n<</Size {len(objects) + 1}/Root 1 0 R{tail}>>\nstartxref\n{at}\n%%EOF'.encode()


CATALOGUE, TREE = '<</Type/Catalog/Pages 2 0 R>>', '<</Type/Pages/Count 1/Kids[3 0 R]>>'
PAGE = '<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>/XObject<</X1 6 0 R>>>>>>'
FONT = '<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>'
SHOWN = f'BT /F1 12 Tf ({CARD}) Tj ET'


def one(content, font=FONT, form=('/Type/XObject/Subtype/Form/BBox[0 0 1 1]', ''), more=(), filters=''):
    return pdf(CATALOGUE, TREE, PAGE, (filters, content), font, form, *more)


def write(save):
    def put(name, data, *codes):
        save('pdf', name, data, *(codes or ('ok', *ENDS)))

    put('plain.pdf', one(SHOWN), 'ok')
    put('kids-loop.pdf', pdf(CATALOGUE, '<</Type/Pages/Count 99999/Kids[2 0 R 2 0 R]/Parent 2 0 R>>'), *ENDS)
    put('kids-cycle.pdf', pdf(CATALOGUE, '<</Type/Pages/Count 9/Kids[3 0 R]>>', '<</Type/Pages/Count 9/Kids[2 0 R 3 0 R]/Parent 2 0 R>>'), *ENDS)
    put('count.pdf', pdf(CATALOGUE, '<</Type/Pages/Count 2147483647/Kids[3 0 R]>>', PAGE, ('', SHOWN), FONT), 'ok', *ENDS)
    put('kids.pdf', pdf(CATALOGUE, '<</Type/Pages/Count 300/Kids[' + '3 0 R ' * 300 + ']>>', PAGE, ('', SHOWN), FONT), 'ok', *ENDS)
    put('deep-tree.pdf', pdf(CATALOGUE, *[f'<</Type/Pages/Count 1/Kids[{i + 1} 0 R]/Parent {i - 1} 0 R>>' for i in range(2, 30000)], '<</Type/Page>>'))
    put('previous-loop.pdf', one(SHOWN).replace(b'/Root', b'/Prev 15/Root'))
    whole = one(SHOWN)
    at = whole.rindex(b'startxref\n') + 10
    put('xref-loop.pdf', whole.replace(b'/Root', b'/Prev %d/Root' % int(whole[at : whole.index(b'\n', at)])))
    put('length-loop.pdf', pdf(CATALOGUE, TREE, PAGE, '<</Length 4 0 R>>stream\nx\nendstream', FONT))
    put('reference-loop.pdf', pdf(CATALOGUE, '3 0 R', '2 0 R'), *ENDS)
    put('object-stream.pdf', pdf(CATALOGUE, TREE, PAGE, ('', SHOWN), FONT, ('/Type/ObjStm/N 2147483647/First 2147483647/Extends 6 0 R', '1 0 2 0')))
    put('object-stream-loop.pdf', pdf('<</Type/Catalog/Pages 7 0 R>>', ('/Type/ObjStm/N 1/First 4/Extends 2 0 R', '2 0 <</Pages 2 0 R>>')), *ENDS)
    bomb = bytes(100 << 20)
    flat = zlib.compress(bomb, 9)
    put('flate.pdf', one(flat, filters='/Filter/FlateDecode'), *ENDS)
    twice = zlib.compress(flat, 9)
    put('flate-chain.pdf', one(zlib.compress(twice, 9), filters='/Filter[/FlateDecode/FlateDecode/FlateDecode]'), *ENDS)
    put('filters.pdf', one('00>', filters='/Filter[' + '/ASCIIHexDecode' * 100_000 + ']'))
    runs = b'\x81 ' * 500_000
    put('runs.pdf', one(runs, filters='/Filter/RunLengthDecode'))
    put('lzw.pdf', one(os.urandom(500_000), filters='/Filter/LZWDecode'))
    put('predictor.pdf', one(zlib.compress(bytes(1000)), filters='/Filter/FlateDecode/DecodeParms<</Predictor 15/Colors 2147483647/Columns 2147483647/BitsPerComponent 32>>'))
    for filtered in ('JBIG2Decode', 'JPXDecode', 'DCTDecode', 'CCITTFaxDecode'):
        image = (f'/Type/XObject/Subtype/Image/Width 60000/Height 60000/ColorSpace/DeviceRGB/BitsPerComponent 8/Filter/{filtered}', os.urandom(20_000))
        put(f'{filtered}.pdf', one(SHOWN + ' /X1 Do', form=image))
    put('form-loop.pdf', one('/X1 Do ' * 50 + SHOWN, form=('/Type/XObject/Subtype/Form/BBox[0 0 1 1]/Resources<</XObject<</X1 6 0 R>>>>', '/X1 Do ' * 50)))
    for kind in ('FontFile', 'FontFile2', 'FontFile3'):
        descriptor = f'<</Type/FontDescriptor/FontName/X/Flags 4/FontBBox[0 0 1 1]/{kind} 8 0 R>>'
        font = f'<</Type/Font/Subtype/{"TrueType" if kind == "FontFile2" else "Type1"}/BaseFont/X/FontDescriptor 7 0 R/FirstChar 0/LastChar 2147483647>>'
        put(f'{kind}.pdf', one(SHOWN, font=font, more=(descriptor, ('/Subtype/Type1C/Length1 100', os.urandom(50_000)))))
    program = '%!PS-AdobeFont-1.0\n/Private 9 dict dup begin /Subrs 99999999 array dup 0 999999999 RD ' + 'x' * 1000
    put('type1.pdf', one(SHOWN, font='<</Type/Font/Subtype/Type1/BaseFont/X/FontDescriptor 7 0 R>>', more=('<</Type/FontDescriptor/FontName/X/Flags 4/FontFile 8 0 R>>', ('/Length1 1000/Length2 0', program))))
    cmap = 'begincmap 1 begincodespacerange <00000000> <ffffffff> endcodespacerange 1 beginbfrange <00000000> <ffffffff> <0000> endbfrange 1 begincidrange <00000000> <ffffffff> 0 endcidrange endcmap'
    put('cmap.pdf', one(SHOWN, font='<</Type/Font/Subtype/Type0/BaseFont/X/Encoding 7 0 R/ToUnicode 7 0 R/DescendantFonts[8 0 R]>>', more=(('/Type/CMap/CMapName/X', cmap), '<</Type/Font/Subtype/CIDFontType2/BaseFont/X/CIDSystemInfo<</Registry(A)/Ordering(B)/Supplement 0>>/W[0 2147483647 1000]>>')))
    glyph = '<</Type/Font/Subtype/Type3/FontBBox[0 0 1 1]/FontMatrix[1 0 0 1 0 0]/CharProcs<</a 7 0 R>>/Encoding<</Differences[49/a]>>/FirstChar 49/LastChar 49/Widths[1]/Resources<</Font<</F1 5 0 R>>>>>>'
    put('glyph-loop.pdf', one(SHOWN, font=glyph, more=(('', SHOWN),)))
    put('arrays.pdf', one('[' * 1_000_000))
    put('array-object.pdf', pdf(CATALOGUE, '[' * 300_000), *ENDS)
    put('dictionaries.pdf', pdf(CATALOGUE, '<</A' * 100_000), *ENDS)
    put('string.pdf', one('(' * 1_000_000))
    put('operators.pdf', one('q ' * 20_000 + SHOWN))
    put('names.pdf', one('/' + 'x' * 2_000_000 + ' gs'))
    put('inline.pdf', one('BI /W 60000 /H 60000 /BPC 8 /CS /RGB ID ' + 'x' * 100_000))
    put('text.pdf', one(SHOWN * 20_000), 'ok', *ENDS)
    put('encrypted.pdf', pdf(CATALOGUE, TREE, PAGE, ('', SHOWN), FONT, f'<</Filter/Standard/V 5/R 6/O({"x" * 48})/U({"x" * 48})/OE({"x" * 32})/UE({"x" * 32})/Perms({"x" * 16})/P -1/Length 256>>', tail='/Encrypt 6 0 R/ID[(a)(b)]'), 'encrypted', *ENDS)
    put('handler.pdf', pdf(CATALOGUE, TREE, PAGE, ('', SHOWN), FONT, '<</Filter/Nobody/V 99/R 99>>', tail='/Encrypt 6 0 R'), 'encrypted', *ENDS)
    put('names-loop.pdf', pdf('<</Type/Catalog/Pages 2 0 R/Names<</EmbeddedFiles 6 0 R>>>>', TREE, PAGE, ('', SHOWN), FONT, '<</Kids[6 0 R 6 0 R]>>'))
    files = '<</Type/Catalog/Pages 2 0 R/Names<</EmbeddedFiles<</Names[(a)6 0 R]>>>>>>'
    attached = one(SHOWN)
    for _ in range(12):
        attached = pdf(files, TREE, PAGE, ('', SHOWN), FONT, '<</Type/Filespec/F(a.pdf)/EF<</F 7 0 R>>>>', ('/Type/EmbeddedFile', attached))
    put('attached.pdf', attached, 'depth', 'ok', *ENDS)
    put('annotations.pdf', pdf(CATALOGUE, TREE, '<</Type/Page/Parent 2 0 R/Annots[' + '6 0 R ' * 2_000 + ']/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>', ('', SHOWN), FONT, '<</Type/Annot/Subtype/Popup/Parent 6 0 R/Rect[0 0 1 1]/Contents(x)>>'))
    put('fields-loop.pdf', pdf('<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[6 0 R]>>>>', TREE, PAGE, ('', SHOWN), FONT, '<</FT/Tx/Kids[6 0 R]/Parent 6 0 R/V 6 0 R>>'))
    put('xref-size.pdf', one(SHOWN).replace(b'xref\n0 7', b'xref\n0 99999999'))
    put('noise.pdf', b'%PDF-1.7\n' + os.urandom(2_000_000), *ENDS)
    put('objects.pdf', b'%PDF-1.7\n' + b''.join(b'%d 0 obj<<>>endobj\n' % i for i in range(200_000)), *ENDS)
    put('marks.pdf', b'%PDF-1.7\n' + b'1 0 obj\nstream\n' * 200_000, *ENDS)
    put('trailers.pdf', b'%PDF-1.7\n' + b'trailer<</Root 1 0 R>>\nstartxref\n9\n' * 100_000, *ENDS)
    for tenth in range(1, 10):
        save('truncated', f'{tenth}.pdf', whole[: len(whole) * tenth // 10], 'ok', *ENDS)
