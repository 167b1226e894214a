// A confidence in words. It is the judge's probability that the best passage answers, not that the answer is right.

const BANDS = [
  [0.9, "confidence.high"],
  [0.7, "confidence.good"],
  [0.5, "confidence.even"],
  [0.2, "confidence.low"],
  [0, "confidence.none"],
];

/** The key of the phrase for a probability. */
export function band(probability) {
  return BANDS.find(([least]) => probability >= least)?.[1] ?? "confidence.none";
}

/** A probability in percent. It is never shown as 0 % or 100 %, because nothing is certain. */
export function percent(probability, language) {
  const written = (value) => new Intl.NumberFormat(language, { style: "percent" }).format(value);
  if (probability < 0.01) return `< ${written(0.01)}`;
  if (probability > 0.99) return `> ${written(0.99)}`;
  return written(probability);
}
