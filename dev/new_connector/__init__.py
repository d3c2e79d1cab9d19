"""Lays out a new connector: its folder, its tests, its line in the registry and in the changelog."""
