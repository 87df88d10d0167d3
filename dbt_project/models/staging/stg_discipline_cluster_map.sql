{{ staging('discipline_cluster_map') }}
