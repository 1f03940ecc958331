"""The picture of the architecture, drawn from the unit files, the users, the folders' modes and the import contract."""
