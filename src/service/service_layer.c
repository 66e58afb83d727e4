typedef int service_layer_is_empty;
