import gguf
import numpy as np
import pytest
import torch

from curation.errors import CurationError
from train.ship import export as exporting
from train.ship.export import export


@pytest.mark.parametrize("quant", ["q4_k_m", "q5_k_m", "q6_k"])
def test_a_k_quant_without_llama_says_what_to_install(tmp_path, adapter, monkeypatch, quant):
    monkeypatch.setattr("train.ship.quantise.has_llama", lambda: False)
    with pytest.raises(CurationError, match=r"pip install '\.\[export\]' in the project's folder"):
        export(adapter, [quant], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_tensor_data_is_what_gguf_dequantises(adapter):
    values = np.linspace(-3, 3, 512, dtype=np.float32).reshape(2, 256)
    data = exporting.encode(torch.from_numpy(values), gguf.GGMLQuantizationType.Q8_0)
    assert np.abs(gguf.quants.dequantize(data, gguf.GGMLQuantizationType.Q8_0) - values).max() < 0.02
