// Files in a ZIP without compression: what every system opens, for some kilobytes of text.

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1
  return c
})

function crc(bytes: Uint8Array): number {
  let sum = 0xffffffff
  for (const byte of bytes) sum = (TABLE[(sum ^ byte) & 255] as number) ^ (sum >>> 8)
  return ~sum >>> 0
}

export function zip(files: Record<string, string>): Blob {
  const encoder = new TextEncoder()
  const parts: Uint8Array<ArrayBuffer>[] = []
  const index: Uint8Array<ArrayBuffer>[] = []
  let at = 0
  for (const [name, text] of Object.entries(files)) {
    const [path, data] = [encoder.encode(name), encoder.encode(text)]
    // Version 2.0, names in UTF-8, stored, the first of January 1980.
    const common = [20, 0x0800, 0, 0, 0x21]
    const sizes = [crc(data), data.length, data.length]
    const local = record(0x04034b50, common, sizes, [path.length, 0], [])
    parts.push(local, path, data)
    index.push(record(0x02014b50, [20, ...common], sizes, [path.length, 0, 0, 0, 0], [0, at]), path)
    at += local.length + path.length + data.length
  }
  const length = index.reduce((sum, part) => sum + part.length, 0)
  const count = index.length / 2
  return new Blob([...parts, ...index, record(0x06054b50, [0, 0, count, count], [length, at], [0], [])], { type: 'application/zip' })
}

/** A signature, then numbers of two, four, two and four bytes. */
function record(signature: number, first: number[], second: number[], third: number[], fourth: number[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 + 2 * (first.length + third.length) + 4 * (second.length + fourth.length))
  const view = new DataView(bytes.buffer)
  let at = 0
  const put = (size: 2 | 4, value: number) => {
    if (size === 2) view.setUint16(at, value, true)
    else view.setUint32(at, value, true)
    at += size
  }
  put(4, signature)
  for (const value of first) put(2, value)
  for (const value of second) put(4, value)
  for (const value of third) put(2, value)
  for (const value of fourth) put(4, value)
  return bytes
}
