// Prints the cells that a reader from npm finds in workbooks or CSV files as JSON: {file: {sheet: [[text]]}}; dates as Excel's numbers.
// Usage: node read.js READER FILE.., with NODE_PATH at the packages.
const [reader, ...files] = process.argv.slice(2)

function text(value) {
  if (value === null || value === undefined) return ''
  if (value instanceof Date) return String(value.getTime() / 86400000 + 25569)
  if (typeof value === 'boolean') return value ? '1' : '0'
  // exceljs gives a formula that comes to 0 no result.
  if (typeof value === 'object' && 'formula' in value) return text(value.result ?? 0)
  if (typeof value === 'object' && 'richText' in value) return value.richText.map((part) => part.text).join('')
  return String(value)
}

const readers = {
  async sheetjs(file) {
    const XLSX = require('xlsx')
    const book = XLSX.read(require('fs').readFileSync(file), { cellDates: false, raw: true, codepage: 65001 })
    return Object.fromEntries(book.SheetNames.map((name) =>
      [file.endsWith('.csv') ? '' : name, XLSX.utils.sheet_to_json(book.Sheets[name], { header: 1, raw: true, defval: null, blankrows: true }).map((row) => Array.from(row, text))]))
  },
  async exceljs(file) {
    const { Workbook } = require('exceljs')
    const book = new Workbook()
    await book.xlsx.readFile(file)
    return Object.fromEntries(book.worksheets.map((sheet) => {
      const rows = []
      for (let r = 1; r <= sheet.rowCount; r++) rows.push(Array.from({ length: sheet.columnCount }, (_, c) => text(sheet.getRow(r).getCell(c + 1).value)))
      return [sheet.name, rows]
    }))
  },
  async duckdb(file) {
    const { DuckDBInstance } = require('@duckdb/node-api')
    const connection = await (await DuckDBInstance.create(':memory:')).connect()
    const result = await connection.runAndReadAll('SELECT * FROM read_csv($file, all_varchar = true, header = true)', { file })
    return { '': [result.columnNames(), ...result.getRows().map((row) => row.map(text))] }
  },
}

const main = async () => {
  const all = {}
  for (const file of files) all[file] = await readers[reader](file)
  process.stdout.write(JSON.stringify(all))
}
main()
