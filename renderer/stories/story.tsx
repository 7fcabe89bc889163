/** One part, shown under its name. */
export interface Story {
  name: string;
  /** Takes the whole width. */
  wide?: boolean;
  show: React.ComponentType;
}
