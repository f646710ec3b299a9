import { render } from "preact";
import { App } from "./app";
import "./style/tokens.css";
import "./style/base.css";
import "./style/shell.css";
import { watchHealth } from "./api/health";
import { followTheme } from "./theme";

followTheme();
watchHealth(new AbortController().signal);
const root = document.getElementById("app");
if (root) render(<App />, root);
