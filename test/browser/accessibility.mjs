// What can be checked of WCAG 2.2 AA without eyes. Runs in the page.

/** Everything that is wrong with what is visible, in words. */
export function barriers() {
  const found = []
  const visible = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true })
  const all = (selector) => [...document.querySelectorAll(selector)].filter(visible)
  const describe = (e) => `${e.localName}${e.id && `#${e.id}`} "${e.textContent.trim().slice(0, 40)}"`

  // 3.1.1, 2.4.2, 1.3.1
  if (!document.documentElement.lang) found.push('the page has no language')
  if (!document.title.trim()) found.push('the page has no title')
  for (const landmark of ['main', 'h1']) if (all(landmark).length !== 1) found.push(`there are ${all(landmark).length} ${landmark}`)
  let level = 0
  for (const heading of all('h1, h2, h3, h4')) {
    const own = Number(heading.localName[1])
    if (own > level + 1) found.push(`${describe(heading)} skips a level`)
    level = own
  }

  // 4.1.2, 1.1.1, 2.5.8
  const ids = [...document.querySelectorAll('[id]')].map((e) => e.id)
  for (const id of ids.filter((id, n) => ids.indexOf(id) !== n)) found.push(`the id ${id} is there twice`)
  for (const control of all('a, button, summary, input, select, textarea')) {
    const name = control.getAttribute('aria-label') ?? control.labels?.[0]?.textContent ?? control.textContent
    if (!name.trim()) found.push(`${describe(control)} has no name`)
    const { width, height } = control.getBoundingClientRect()
    const inText = control.localName === 'a' && getComputedStyle(control).display === 'inline'
    if (!inText && (width < 24 || height < 24)) found.push(`${describe(control)} is ${width} by ${height}`)
  }
  for (const image of all('img')) if (!image.hasAttribute('alt')) found.push('an image has no text')
  for (const e of document.querySelectorAll('[aria-labelledby]')) {
    if (!document.getElementById(e.getAttribute('aria-labelledby'))) found.push(`${e.localName} is named by nothing`)
  }

  // 1.4.10
  const { scrollWidth, clientWidth } = document.documentElement
  if (scrollWidth > clientWidth) found.push(`it is ${scrollWidth} wide in ${clientWidth}`)

  // 1.4.3
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
  const paint = (color) => {
    canvas.clearRect(0, 0, 1, 1)
    canvas.fillStyle = color
    canvas.fillRect(0, 0, 1, 1)
    return canvas.getImageData(0, 0, 1, 1).data
  }
  const behind = (e) => {
    for (let at = e; at; at = at.parentElement) {
      const color = paint(getComputedStyle(at).backgroundColor)
      if (color[3] === 255) return color
    }
    return paint('Canvas')
  }
  const luminance = (color) => {
    const [r, g, b] = [...color].map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    const e = text.parentElement
    if (!text.data.trim() || !visible(e) || ['SCRIPT', 'STYLE', 'NOSCRIPT'].includes(e.tagName)) continue
    const style = getComputedStyle(e)
    const [lighter, darker] = [luminance(paint(style.color)), luminance(behind(e))].sort((a, b) => b - a)
    const ratio = (lighter + 0.05) / (darker + 0.05)
    const size = parseFloat(style.fontSize)
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700)
    if (ratio < (large ? 3 : 4.5)) found.push(`${describe(e)} has a contrast of ${ratio.toFixed(2)}`)
  }
  return found
}

/** Whether what has the focus shows it, 2.4.7. Runs in the page. */
export function focusShown() {
  const style = getComputedStyle(document.activeElement)
  return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1
}
