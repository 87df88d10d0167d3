{{ staging('cluster_reference') }}
