// What a probability is in words. It is the judge's, that the best passage answers: no promise that the answer is right.

const BANDS = [
  [0.9, "confidence.high"],
  [0.7, "confidence.good"],
  [0.5, "confidence.even"],
  [0.2, "confidence.low"],
  [0, "confidence.none"],
];

/** The phrase for a probability. */
export function band(probability) {
  return BANDS.find(([least]) => probability >= least)?.[1] ?? "confidence.none";
}

/** A probability as a person reads it. Nothing is 0 % or 100 % sure, so neither is ever shown. */
export function percent(probability, language) {
  const written = (value) => new Intl.NumberFormat(language, { style: "percent" }).format(value);
  if (probability < 0.01) return `< ${written(0.01)}`;
  if (probability > 0.99) return `> ${written(0.99)}`;
  return written(probability);
}
