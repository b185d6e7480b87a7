# Prints the cells that openpyxl finds in workbooks as JSON: {file: {sheet: [[text]]}}; dates as Excel's numbers.
import datetime, json, sys
import openpyxl
from openpyxl.utils.datetime import to_excel

def text(value):
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return repr(to_excel(value))
    return str(value)

def read(path):
    book = openpyxl.load_workbook(path, data_only=True, read_only=mode == "streaming")
    return {sheet.title: [[text(v) for v in row] for row in sheet.iter_rows(values_only=True)] for sheet in book}

mode, *files = sys.argv[1:]
json.dump({file: read(file) for file in files}, sys.stdout)
