"""The pipeline drill: any command, killed at every point of its work and run again; is its output exactly once?"""
