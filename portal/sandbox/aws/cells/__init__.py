"""What a deployment cell is made of, as the local AWS plays it: networks, keys, clusters, machines, and the rights that each takes."""
