// Problems in words. The text of the service ends with a hint; the kind of problem is added in the language of the interface.
import { el, icon } from "./dom.js";
import { language, t } from "./i18n.js";

/** A problem of the page itself; `phrase` is the key of its text. */
export const ours = (phrase) => ({ phrase });

// The service writes English. In other languages the kind of problem comes first, by the title of the problem.
export const KINDS = {
  id: {
    QuestionError: "Pertanyaan atau filternya tidak valid.",
    KeyRefused: "Kunci API tidak berlaku.",
    AccessRefused: "Kunci API Anda tidak mengizinkan tindakan ini.",
    NotFound: "Tidak ditemukan.",
    TooSlow: "Pengiriman data terlalu lambat.",
    DocumentChanged: "Berkas sudah berubah sejak diindeks.",
    IndexBusy: "Indeks sedang disusun ulang.",
    TooLarge: "Ukuran atau jumlahnya melebihi batas.",
    TooManyRequests: "Terlalu banyak permintaan; tunggu sebentar.",
    TooManyQuestions: "Antrean pertanyaan penuh; coba lagi sebentar lagi.",
    SeedError: "Berkas ini tidak dapat diterima.",
    SeedEmpty: "Berkas ini kosong.",
    SeedLocked: "Berkas ini dilindungi kata sandi.",
    SeedScanned: "Berkas ini berisi hasil pindaian tanpa teks.",
    SeedTooLarge: "Berkas ini terlalu besar untuk dibaca.",
    SeedDamaged: "Berkas ini rusak.",
    SeedForeign: "Jenis berkas ini tidak didukung.",
    IndexMissing: "Belum ada indeks.",
    IndexMismatch: "Indeks dibuat dengan model atau format lain.",
    IndexDamaged: "Indeks rusak.",
    WeightsMissing: "Berkas model belum ada.",
    WeightsDamaged: "Berkas model rusak.",
    StorageError: "Terjadi masalah pada media penyimpanan.",
    KeysDamaged: "Berkas kunci API tidak dapat dibaca.",
    EndpointError: "Layanan model bahasa memberikan respons yang tidak valid.",
    EndpointRefused: "Layanan model bahasa menolak permintaan.",
    EndpointUnavailable: "Layanan model bahasa tidak dapat dihubungi.",
    JobFailed: "Indeks gagal disusun ulang.",
    ServiceStopping: "Layanan sedang dihentikan.",
    InternalError: "Terjadi kesalahan internal pada rag.",
  },
};

/** The text of a problem: its kind in the language of the interface, then the text of the service with the hint. */
export function words(problem) {
  if (problem.phrase) return t(problem.phrase);
  const said = problem.detail || problem.title;
  return [KINDS[language()]?.[problem.title], said].filter(Boolean).join(" ");
}

/** An error message, which screen readers announce at once. */
export const failure = (text) => el("p", { class: "failure", role: "alert" }, icon("warning"), text);
