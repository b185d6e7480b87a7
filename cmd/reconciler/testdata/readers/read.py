# Prints the cells that openpyxl finds in workbooks, or csvkit's csvformat in CSV files, as JSON: {file: {sheet: [[text]]}}; dates as Excel's numbers.
import csv, datetime, io, json, sys

def text(value):
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        from openpyxl.utils.datetime import to_excel
        return repr(to_excel(value))
    return str(value)

def read(path):
    if mode == "csvformat":
        from csvkit.utilities.csvformat import CSVFormat
        printed = io.StringIO(newline="")
        CSVFormat([path], printed).run()
        return {"": list(csv.reader(io.StringIO(printed.getvalue(), newline="")))}
    import openpyxl
    book = openpyxl.load_workbook(path, data_only=True, read_only=mode == "streaming")
    return {sheet.title: [[text(v) for v in row] for row in sheet.iter_rows(values_only=True)] for sheet in book}

mode, *files = sys.argv[1:]
json.dump({file: read(file) for file in files}, sys.stdout)
