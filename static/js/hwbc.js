// Every page works without this. With it the NHS.UK components get their behaviour.
import { initAll } from "./nhsuk-frontend.min.js";

initAll();
