/** Texts that are being written, by policy: they outlive the page, not the window. */
import { create } from 'zustand';

export interface TypedText {
  text: string;
  /** Hash of the text it was made from; absent for a new policy. */
  base: string | undefined;
}

/** The draft of a policy that has no id yet. */
export const NEW_POLICY = '';

export const usePolicyDrafts = create<{ drafts: Readonly<Record<string, TypedText>> }>(() => ({
  drafts: {},
}));

export function keepDraft(id: string, draft: TypedText | undefined): void {
  usePolicyDrafts.setState(({ drafts }) => {
    const { [id]: _before, ...others } = drafts;
    return { drafts: draft === undefined ? others : { ...others, [id]: draft } };
  });
}
