/** Menus are drawn inside the page's main landmark, above everything in it. */
export const MENU_HOST = 'menus';

export function menuHost(): HTMLElement | null {
  return document.getElementById(MENU_HOST);
}
