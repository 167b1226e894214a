// What went wrong, in words: the service's own end with what mends it.
import { el, icon } from "./dom.js";
import { language, t } from "./i18n.js";

/** A problem that no service told of: its `phrase` is one of ours. */
export const ours = (phrase) => ({ phrase });

// The service speaks English. Where the interface does not, what kind of problem it is comes first, by the problem's stable name.
export const KINDS = {
  id: {
    QuestionError: "Pertanyaan atau saringannya tidak dapat dipahami.",
    KeyRefused: "Kunci tidak berlaku.",
    AccessRefused: "Kunci Anda tidak mengizinkan ini.",
    NotFound: "Tidak ditemukan.",
    TooSlow: "Kiriman terlalu lambat.",
    DocumentChanged: "Berkas sudah berubah sejak diindeks.",
    IndexBusy: "Indeks sedang disusun ulang.",
    TooLarge: "Terlalu besar.",
    TooManyRequests: "Terlalu banyak permintaan; tunggu sebentar.",
    TooManyQuestions: "Terlalu banyak pertanyaan sedang menunggu; coba lagi sebentar.",
    SeedError: "Berkas ini tidak dapat diterima.",
    SeedEmpty: "Berkas ini kosong.",
    SeedLocked: "Berkas ini terkunci dengan kata sandi.",
    SeedScanned: "Berkas ini hasil pindaian tanpa teks.",
    SeedTooLarge: "Berkas ini terlalu besar untuk dibaca.",
    SeedDamaged: "Berkas ini rusak.",
    SeedForeign: "Jenis berkas ini tidak dapat dibaca.",
    IndexMissing: "Belum ada indeks.",
    IndexMismatch: "Indeks dibuat dengan model lain.",
    IndexDamaged: "Indeks rusak.",
    WeightsMissing: "Berkas model belum ada.",
    WeightsDamaged: "Berkas model rusak.",
    StorageError: "Penyimpanan bermasalah.",
    EndpointError: "Model bahasa di alamat lain tidak menjawab sebagaimana mestinya.",
    EndpointRefused: "Model bahasa di alamat lain menolak.",
    EndpointUnavailable: "Model bahasa di alamat lain tidak dapat dicapai.",
    InternalError: "Terjadi kesalahan dalam rag sendiri.",
  },
};

/** What is wrong, in the language of the interface as far as it goes, and what mends it, as the service says it. */
export function words(problem) {
  if (problem.phrase) return t(problem.phrase);
  const said = problem.detail || problem.title;
  return [KINDS[language()]?.[problem.title], said].filter(Boolean).join(" ");
}

/** A line that stands out, and is said at once. */
export const failure = (text) => el("p", { class: "failure", role: "alert" }, icon("warning"), text);
