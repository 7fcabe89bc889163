/** Faults of layout that a page can tell of itself: what scrolls sideways, what sticks out of its place. */
import type { Page } from 'playwright-core';

// Runs in the page.
const FAULTS = `(() => {
  const wrong = [];
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth + 1) wrong.push('the page scrolls sideways (' + root.scrollWidth + ' px)');
  if (root.scrollHeight > innerHeight + 1) wrong.push('the page scrolls (' + root.scrollHeight + ' px)');
  for (const element of document.querySelectorAll('body *')) {
    const box = element.getBoundingClientRect();
    if (box.width === 0 || box.height === 0) continue;
    if (element.closest('.visually-hidden, svg, option, .skip')) continue;
    if (['absolute', 'fixed'].includes(getComputedStyle(element).position)) continue;
    for (let parent = element.parentElement; parent; parent = parent.parentElement) {
      const style = getComputedStyle(parent);
      if (style.overflowX === 'hidden' || style.overflowX === 'clip') {
        const cut = Math.round(box.right - parent.getBoundingClientRect().right);
        const said = style.textOverflow === 'ellipsis' || element.closest('.safe, [aria-hidden=true]');
        if (cut > 2 && !said && element.childElementCount === 0 && element.textContent.trim() !== '')
          wrong.push(element.outerHTML.slice(0, 160) + ' is cut by ' + (parent.className || parent.tagName));
        break;
      }
      if (style.overflowX !== 'visible' || style.position === 'fixed') break;
      if (style.display === 'inline' || style.display === 'contents') continue;
      const over = Math.round(box.right - parent.getBoundingClientRect().right);
      if (over > 2) {
        const place = parent.className || parent.tagName;
        wrong.push(element.outerHTML.slice(0, 160) + ' sticks out of ' + place + ' by ' + over + ' px');
        break;
      }
    }
  }
  return wrong;
})()`;

/** Alike faults (a column of a table) are told once: the kind of element, and what it sticks out of. */
function placeOf(fault: string): string {
  return `${/^<?[\w ]+/.exec(fault)?.[0]} ${/sticks out of .*|is cut by .*/.exec(fault)?.[0]}`;
}

/** One line for each kind of fault; none when all is in its place. The page itself must not scroll: its panels do. */
export function layoutFaults(page: Page): Promise<string[]> {
  return page
    .evaluate<string[]>(FAULTS)
    .then((faults) => [...new Map(faults.map((fault) => [placeOf(fault), fault])).values()]);
}
