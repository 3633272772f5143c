"""Synthetic multi-site brain MRI with real anatomy and known truth.

Every subject is the MNI152 template's tissue, posed, bent, aged and scanned: `atlas` reads the template, `anatomy`
makes a person of it, `pathology` and `nerves` add what a task asks for, `sites` and `acquire` turn it into the images
of one institution, `cases` decides who comes, `layout` writes files. The same seed gives the same bytes.

Institutions differ between splits (voxel size, slice thickness, noise, receive field, contrast, scale, storage order),
classes are balanced within each of them, and no subject appears twice except in task 6's second sessions.

How strong the signals are, so that a result can be judged:

- task1: infarcts of 8–22 mm radius, DWI 1.2–2 times its surroundings, ADC about halved. A threshold on the ADC finds
  them; DWI alone is misled by scars that shine through and by rims over the skull base.
- task2: tumours of 9–21 mm radius on the convexity, brighter than cortex in DWI, from darker to brighter in FLAIR,
  often calcified, half with oedema. Every case has one.
- task3: ages 20–90, spread evenly. The lateral ventricles' walls move about 0.6 mm a decade, with a person's own
  deviation of 0.5 mm, and the sulci widen.
- task4: a slab at half the spacing; nerve about 2 mm, vessels 0.8–1.9 mm in radius, in bright fluid. At 2 mm spacing
  a tube is two to four voxels thick: overlap is fair, surface scores are low for a coarse model.
- task5: cortex twice as thick in one or two patches of 32–46 mm. Subtle for a whole-brain mean, plain for an eye.
- task6: one cohort with wide ventricles and shrunken hippocampi (ventricle volume alone separates it with an AUROC
  near 0.9), one with lesions of the white matter that T1w shows faintly, controls; ages overlap fully.
"""

from demo.brains.cases import make_case
from demo.brains.layout import write_dataset, write_pretraining
from demo.brains.model import BrainCase, Split, Volume
from demo.brains.sheet import contact_sheet

__all__ = ["BrainCase", "Split", "Volume", "contact_sheet", "make_case", "write_dataset", "write_pretraining"]
