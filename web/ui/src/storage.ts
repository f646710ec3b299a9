/** What the browser keeps for this page: for this tab alone, or for all of them. */
export interface Store {
  /** Gives what is kept under a name; undefined where nothing is, or the browser keeps nothing. */
  get(name: string): string | undefined;
  /** Keeps a text, or forgets it where it is undefined. False where the browser does not keep it. */
  set(name: string, text: string | undefined): boolean;
}

/** A browser may keep nothing for a page: then even to look at its storage throws. */
function guarded(storage: () => Storage): Store {
  return {
    get: (name) => {
      try {
        return storage().getItem(name) ?? undefined;
      } catch {
        return undefined;
      }
    },
    set: (name, text) => {
      try {
        if (text === undefined) storage().removeItem(name);
        else storage().setItem(name, text);
        return true;
      } catch {
        return false;
      }
    },
  };
}

/** What is kept until the tab is closed. */
export const tabStore = guarded(() => sessionStorage);

/** What is kept for every tab, from now on. */
export const pageStore = guarded(() => localStorage);
