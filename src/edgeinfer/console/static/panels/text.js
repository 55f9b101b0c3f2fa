// Words of the dashboard's author.

import { clear } from "../dom.js";
import { markdown } from "../markdown.js";

export function notices(panel) {
  const mode = panel.options?.mode;
  return mode && mode !== "markdown" ? [`text mode ${mode}, shown as Markdown`] : [];
}

export class Text {
  constructor(context) {
    this.context = context;
    this.isEmpty = false;
    this.update();
  }

  update() {
    clear(this.context.body).append(markdown(this.context.words(this.context.panel.options?.content || ""), { firstHeading: 4 }));
  }

  describe() {
    return "";
  }

  drawn() {
    return [{ text: this.context.body.textContent }];
  }

  destroy() {}
}
