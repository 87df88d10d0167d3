"""The line on one machine without a university: simulated platforms and an embedded PostgreSQL and Airflow.

Its own distribution: a production image does without it. The product knows nothing of it but three groups of entry points.
"""
