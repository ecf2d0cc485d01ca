"""Judging networks of glass formers: rivals, published figures, reports and files of predictions."""
