import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { KINDS } from "../../../rag/web/static/js/problem.js";
import { phrase, pick, TABLES } from "../../../rag/web/static/js/i18n.js";

const STATIC = new URL("../../../rag/web/static/", import.meta.url);
const read = (name) => readFileSync(new URL(name, STATIC), "utf8");
const LANGUAGES = Object.keys(TABLES);
const forms = (entry) => (typeof entry === "object" ? Object.values(entry) : [entry]);
const holes = (text) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort().join();

test("each language has every phrase, with the same values", () => {
  for (const language of LANGUAGES) {
    assert.deepEqual(Object.keys(TABLES[language]), Object.keys(TABLES.en));
    for (const [key, entry] of Object.entries(TABLES[language])) {
      const allowed = new Set(forms(TABLES.en[key]).map(holes));
      for (const form of forms(entry)) {
        assert.ok(form.trim(), key);
        assert.ok(allowed.has(holes(form)), `${language} ${key}`);
      }
    }
  }
});

test("a phrase with plurals has a form for each number", () => {
  for (const language of LANGUAGES) {
    const plurals = Object.entries(TABLES[language]).filter(([, entry]) => typeof entry === "object");
    const categories = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
    for (const [key, entry] of plurals) assert.deepEqual(Object.keys(entry).sort(), [...categories].sort(), `${language} ${key}`);
  }
});

test("each used phrase exists, and each phrase is used", () => {
  const scripts = readdirSync(new URL("js/", STATIC)).filter((name) => name.endsWith(".js") && !LANGUAGES.includes(name.slice(0, 2)));
  const code = [...scripts.map((name) => read(`js/${name}`)), read("index.html")].join("\n");
  const named = [...code.matchAll(/data-t(?:-[a-z-]+)?="([^"]+)"/g)].map((match) => match[1]);
  const quoted = new Set([...code.matchAll(/["`]([a-z]+(?:\.[a-z]+)?)["`]/g)].map((match) => match[1]));
  for (const key of named) assert.ok(Object.hasOwn(TABLES.en, key), key);
  for (const [, key] of code.matchAll(/\bt\("([^"]+)"/g)) assert.ok(Object.hasOwn(TABLES.en, key), key);
  // The keys for jobs are built from the state.
  for (const key of Object.keys(TABLES.en)) assert.ok(quoted.has(key) || key.startsWith("job."), key);
});

test("each language but English has texts for the kinds of problems, by the names of the errors", () => {
  assert.deepEqual(Object.keys(KINDS), LANGUAGES.filter((language) => language !== "en"));
  const errors = readFileSync(new URL("../../errors.py", STATIC), "utf8");
  const names = new Set([...errors.matchAll(/^class (\w+)/gm)].map((match) => match[1]).concat("InternalError"));
  for (const kinds of Object.values(KINDS)) for (const name of Object.keys(kinds)) assert.ok(names.has(name), name);
});

test("values are filled in, numbers as in the language, and names of documents unchanged", () => {
  assert.equal(phrase("en", "documents.count", { count: 1 }), "1 document");
  assert.equal(phrase("en", "documents.count", { count: 1234 }), "1,234 documents");
  assert.equal(phrase("id", "documents.count", { count: 1234 }), "1.234 dokumen");
  assert.equal(phrase("en", "documents.delete", { path: "{path} $& a.txt" }), "Delete {path} $& a.txt");
});

test("the language is the one chosen before, else the browser's, else English", () => {
  assert.equal(pick("id", ["en-US"]), "id");
  assert.equal(pick(null, ["de-DE", "id-ID", "en"]), "id");
  assert.equal(pick("xx", ["EN-gb", "id"]), "en");
  assert.equal(pick(null, ["toString", undefined]), "en");
});
