"""The kinds of run on the engine: experiment, detection drill, restore drill, failover drill, game day, pipeline drill.

``commands`` and the flows import it.
"""
