"""Judging networks of flow: rollouts, rivals, reports and files of predictions."""
