"""AutoAugment's operations on one image by Pillow, called as torchvision calls it."""

import math

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor


def _affine(image, *matrix):
    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST)


def _shear_x(image, slope):
    return _affine(image, 1, math.tan(math.atan(slope)), 0, 0, 1, 0)


def _shear_y(image, slope):
    return _affine(image, 1, 0, 0, math.tan(math.atan(slope)), 1, 0)


REFERENCE = {
    "ShearX": _shear_x,
    "ShearY": _shear_y,
    "TranslateX": lambda image, m: _affine(image, 1, 0, -int(m), 0, 1, 0),
    "TranslateY": lambda image, m: _affine(image, 1, 0, 0, 0, 1, -int(m)),
    "Rotate": lambda image, m: image.rotate(m, Image.Resampling.NEAREST),
    "Color": lambda image, m: ImageEnhance.Color(image).enhance(1 + m),
    "Contrast": lambda image, m: ImageEnhance.Contrast(image).enhance(1 + m),
    "Sharpness": lambda image, m: ImageEnhance.Sharpness(image).enhance(1 + m),
    "Brightness": lambda image, m: ImageEnhance.Brightness(image).enhance(1 + m),
    "Posterize": lambda image, m: ImageOps.posterize(image, round(m)),
    "Solarize": ImageOps.solarize,
    "AutoContrast": lambda image, m: ImageOps.autocontrast(image),
    "Equalize": lambda image, m: ImageOps.equalize(image),
    "Invert": lambda image, m: ImageOps.invert(image),
}


def by_pillow(image: Tensor, *steps: tuple[str, float]) -> Tensor:
    """One uint8 image [C, H, W] through (operation, signed magnitude) after (...)."""
    array = image.permute(1, 2, 0).numpy()
    picture = Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
    for name, magnitude in steps:
        picture = REFERENCE[name](picture, magnitude)
    return torch.from_numpy(np.array(picture).reshape(array.shape)).permute(2, 0, 1)
