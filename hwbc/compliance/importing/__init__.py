"""The workbook import: how a service brings its data (rules, section 6).

`reading.read` turns a file into rows and faults, `checks` compares the rows with each other and with what is there,
`actions.import_rows` does both and writes. Nothing is saved if there is one fault. On the page, `jobs` does it for
whoever asked, within their `limits`, and `changes` tells what would be other than it is.
"""
